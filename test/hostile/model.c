#include "model.h"
#include <poll.h>
#include <sys/wait.h>

struct instance instances[INSTANCES];
struct process processes[PROCESSES];
struct task tasks[TASKS];

const char *task_name(int task) {
  static char names[4][16];
  static int turn;
  char *name = names[turn = (turn + 1) % 4];
  snprintf(name, sizeof *names, "p%dt%d", task / THREADS, task % THREADS);
  return name;
}

int process_of(int task) { return task / THREADS; }

int any_task(void) {
  for (;;) {
    int task = below(TASKS);
    if (tasks[task].is_alive)
      return task;
  }
}

/* A place for another thread, or NOBODY. */
int free_task(int process) {
  for (int i = 0; i < THREADS; i++)
    if (!tasks[process * THREADS + i].is_alive)
      return process * THREADS + i;
  return NOBODY;
}

int free_process(void) {
  for (int i = 0; i < PROCESSES; i++)
    if (!processes[i].is_alive)
      return i;
  return NOBODY;
}

struct instance *new_instance(int access, int is_targets) {
  static int number;
  for (int i = 0; i < INSTANCES; i++) {
    struct instance *instance = &instances[i];
    if (instance->used)
      continue;
    *instance = (struct instance){.used = 1, .number = ++number, .owner = NOBODY, .access = access, .is_targets = is_targets};
    return instance;
  }
  return NULL;
}

unsigned long file_pages(const struct instance *instance) {
  return instance->state == OPENED ? 0 : (instance->words + PAGE_WORDS - 1) / PAGE_WORDS;
}

static void forget(struct instance *instance) {
  for (unsigned long i = 0; instance->pages && i < file_pages(instance); i++)
    free(instance->pages[i]);
  free(instance->pages);
  instance->used = 0;
}

/* A descriptor or mapping is gone. What a task has enabled lives as long as that. */
void drop(struct instance *instance) {
  if (--instance->references == 0 && instance->owner == NOBODY)
    forget(instance);
}

/* It is not enabled any more. */
void give_back(struct instance *instance) {
  tasks[instance->owner].enabled = NULL;
  instance->owner = NOBODY;
  instance->handle_count = instance->is_remote = 0;
  instance->state = INITIALIZED;
  if (instance->references == 0)
    forget(instance);
}

void end_task(int task) {
  if (tasks[task].enabled)
    give_back(tasks[task].enabled);
  tasks[task].is_alive = 0;
}

int descriptors(int process) {
  int count = 0;
  for (int i = 0; i < FDS; i++)
    count += processes[process].fds[i].instance != NULL;
  return count;
}

/* A descriptor of a process, or -1. */
int any_fd(int process) {
  int start = below(FDS);
  for (int i = 0; i < FDS; i++)
    if (processes[process].fds[(start + i) % FDS].instance)
      return (start + i) % FDS;
  return -1;
}

/* One that is no O_PATH. */
int any_kcov(int process) {
  int fd = any_fd(process);
  return fd >= 0 && processes[process].fds[fd].is_path ? -1 : fd;
}

void add_fd(int process, int fd, struct descriptor descriptor) {
  if (fd >= FDS || processes[process].fds[fd].instance)
    differs("descriptor %d is not free", fd);
  processes[process].fds[fd] = descriptor;
  descriptor.instance->references++;
}

void close_fd(int process, int fd) {
  struct instance *instance = processes[process].fds[fd].instance;
  processes[process].fds[fd] = (struct descriptor){0};
  drop(instance);
}

static uint64_t *copied(const uint64_t *page) {
  uint64_t *copy = malloc(PAGE);
  if (page)
    memcpy(copy, page, PAGE);
  else
    memset(copy, 0, PAGE);
  return copy;
}

struct mapping *add_mapping(int process, struct mapping mapping) {
  for (int i = 0; i < MAPS; i++)
    if (!processes[process].maps[i]) {
      processes[process].maps[i] = malloc(sizeof mapping);
      *processes[process].maps[i] = mapping;
      mapping.instance->references++;
      return processes[process].maps[i];
    }
  abort();
}

static void free_mapping(struct mapping *mapping) {
  for (unsigned long i = 0; mapping->copies && i < mapping->pages; i++)
    free(mapping->copies[i]);
  free(mapping->copies);
  free(mapping->states);
  free(mapping);
}

void remove_mapping(int process, struct mapping *mapping) {
  for (int i = 0; i < MAPS; i++)
    if (processes[process].maps[i] == mapping)
      processes[process].maps[i] = NULL;
  struct instance *instance = mapping->instance;
  free_mapping(mapping);
  drop(instance);
}

struct mapping *any_mapping(int process) { return processes[process].maps[below(MAPS)]; }

/* A fork: descriptors and mappings are there twice. */
void copy_process(int from, int to) {
  for (int fd = 0; fd < FDS; fd++)
    if (processes[from].fds[fd].instance)
      add_fd(to, fd, processes[from].fds[fd]);
  for (int i = 0; i < MAPS; i++) {
    struct mapping *mapping = processes[from].maps[i];
    if (!mapping || mapping->is_left_out_of_forks)
      continue;
    struct mapping copy = *mapping;
    copy.is_locked = 0;
    copy.states = malloc(mapping->pages * sizeof *copy.states);
    memcpy(copy.states, mapping->states, mapping->pages * sizeof *copy.states);
    if (mapping->copies) {
      copy.copies = calloc(mapping->pages, sizeof *copy.copies);
      for (unsigned long page = 0; page < mapping->pages; page++)
        if (mapping->copies[page])
          copy.copies[page] = copied(mapping->copies[page]);
    }
    add_mapping(to, copy);
  }
}

static void drop_mappings(int process) {
  for (int i = 0; i < MAPS; i++)
    if (processes[process].maps[i])
      remove_mapping(process, processes[process].maps[i]);
}

void end_process(int process) {
  for (int i = 0; i < THREADS; i++)
    if (tasks[process * THREADS + i].is_alive)
      end_task(process * THREADS + i);
  for (int fd = 0; fd < FDS; fd++)
    if (processes[process].fds[fd].instance)
      close_fd(process, fd);
  drop_mappings(process);
  processes[process].is_alive = 0;
}

/* An exec by a task: it goes on alone, without mappings. */
void replace_process(int task) {
  int process = process_of(task);
  for (int i = process * THREADS; i < (process + 1) * THREADS; i++)
    if (i != task && tasks[i].is_alive)
      end_task(i);
  drop_mappings(process);
  for (int fd = 0; fd < FDS; fd++)
    if (processes[process].fds[fd].instance && processes[process].fds[fd].closes_on_exec)
      close_fd(process, fd);
}

uint64_t word_of(struct instance *instance, uint64_t index) {
  uint64_t *page = instance->pages[index / PAGE_WORDS];
  return page ? page[index % PAGE_WORDS] : 0;
}

void set_word(struct instance *instance, uint64_t index, uint64_t value) {
  uint64_t **page = &instance->pages[index / PAGE_WORDS];
  if (!*page)
    *page = copied(NULL);
  (*page)[index % PAGE_WORDS] = value;
}

/* Whether a page of a mapping is one of the file's: touching another is SIGBUS. */
int has_file_page(const struct mapping *mapping, unsigned long page) {
  return mapping->first + page < file_pages(mapping->instance);
}

/* A page of a private mapping becomes the process's own. */
void copy_page(struct mapping *mapping, unsigned long page) {
  if (mapping->copies[page])
    return;
  mapping->copies[page] = copied(mapping->instance->pages[mapping->first + page]);
}

/* Starts a process of one task, as a child of the worker. */
void new_process(int task) {
  int process = process_of(task);
  expect_task(task);
  pid_t pid = fork();
  if (pid == 0)
    serve(&SHARED->slots[task]);
  processes[process] = (struct process){.is_alive = 1, .pid = pid};
  tasks[task] = (struct task){.is_alive = 1};
  await_task(task);
}

void begin_model(void) { new_process(0); }

/* Kills all actors that there are. */
void end_processes(void) {
  for (int i = 0; i < PROCESSES; i++)
    if (processes[i].is_alive)
      kill(processes[i].pid, SIGKILL);
}
