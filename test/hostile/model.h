/* The model: what kernel/kcov.c would know, and what the kernel knows of descriptors and mappings. */
#ifndef MODEL_H
#define MODEL_H
#include "hostile.h"

enum state { OPENED, INITIALIZED, ENABLED };
enum { NOBODY = -1, MAX_HANDLES = 4, FDS = 128, MAPS = 24, INSTANCES = 40 };

/* The result of one open of the device. */
struct instance {
  int used, number;
  enum state state;
  uint64_t words;
  int owner;
  /* Descriptors and mappings, of all processes. */
  int references;
  int access;
  /* The one target that it sees; else all. */
  int is_targets;
  /* It was enabled to be told of comparisons, if only once. */
  int compares;
  uint64_t handles[MAX_HANDLES];
  int handle_count, is_remote;
  /* Targets may write into it, or have since the model last looked; `is_settled`: they do not any more. */
  int is_loose, is_settled, was_loose;
  /* The words as they must be, a page each; NULL for zeros. */
  uint64_t **pages;
};

struct descriptor {
  struct instance *instance;
  int closes_on_exec, is_path;
};

struct page_state {
  unsigned char is_mapped, prot;
};

struct mapping {
  struct instance *instance;
  char *at;
  unsigned long pages, first;
  int is_shared, may_write, is_locked, is_left_out_of_forks, was_split;
  struct page_state *states;
  /* Of a private mapping, what was written. */
  uint64_t **copies;
};

struct process {
  int is_alive;
  pid_t pid;
  struct descriptor fds[FDS];
  struct mapping *maps[MAPS];
};

struct task {
  int is_alive;
  pid_t tid;
  struct instance *enabled;
};

extern struct instance instances[INSTANCES];
extern struct process processes[PROCESSES];
extern struct task tasks[TASKS];

/* worker.c */
void await_task(int task);
void expect_task(int task);

/* model.c */
void begin_model(void);
void end_processes(void);
const char *task_name(int task);
int any_task(void);
int process_of(int task);
int free_task(int process);
struct instance *new_instance(int access, int is_targets);
void drop(struct instance *instance);
void give_back(struct instance *instance);
void end_task(int task);
void end_process(int process);
void copy_process(int from, int to);
void replace_process(int task);
void new_process(int task);
int free_process(void);
int descriptors(int process);
int any_fd(int process);
int any_kcov(int process);
void add_fd(int process, int fd, struct descriptor descriptor);
void close_fd(int process, int fd);
struct mapping *add_mapping(int process, struct mapping mapping);
void remove_mapping(int process, struct mapping *mapping);
struct mapping *any_mapping(int process);
uint64_t word_of(struct instance *instance, uint64_t index);
void set_word(struct instance *instance, uint64_t index, uint64_t value);
unsigned long file_pages(const struct instance *instance);
int has_file_page(const struct mapping *mapping, unsigned long page);
void copy_page(struct mapping *mapping, unsigned long page);

/* device.c, memory.c, file.c, tree.c, target.c */
void step(void);
void finish_model(void);
void memory_step(int task);
void map_step(int task);
void tree_step(int task);
void file_step(int task);
void target_step(int task);
void check_area(struct instance *instance, uint64_t index, uint64_t value);
#endif
