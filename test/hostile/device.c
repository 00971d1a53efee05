/* Random calls that concern instances, their descriptors, and the tasks that have them enabled. */
#include "differences.h"
#include "model.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

static const char *note_of(const struct instance *instance) {
  static char text[96];
  static const char *states[] = {"opened", "initialized", "enabled"};
  int length = snprintf(text, sizeof text, "[i%d %s", instance->number, states[instance->state]);
  if (instance->state != OPENED)
    length += snprintf(text + length, sizeof text - length, ", %lu words", instance->words);
  if (instance->owner != NOBODY)
    length += snprintf(text + length, sizeof text - length, ", by %s", task_name(instance->owner));
  snprintf(text + length, sizeof text - length, "%s]", instance->is_loose ? ", traced" : "");
  return text;
}

/* Whether a target may write into an instance that is enabled. */
static int can_write(struct instance *instance) {
  if (!options.target)
    return 0;
  if (instance->handle_count == 0)
    return 1;
  for (int i = 0; i < instance->handle_count; i++)
    if ((instance->handles[i] & 0xffffffff) == (uint64_t)options.number)
      return 1;
  return 0;
}

static void enable(int task, struct instance *instance, int compares, int is_written) {
  instance->state = ENABLED, instance->owner = task, instance->compares |= compares;
  tasks[task].enabled = instance;
  if (is_written)
    instance->is_loose = instance->was_loose = 1, instance->is_settled = 0;
}

/* The open of the device by a name. */
static void open_kcov(int task) {
  static const int kinds[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR, O_RDWR, O_RDWR, O_RDWR};
  static const int more[] = {O_CLOEXEC, O_CLOEXEC, O_NONBLOCK, O_CREAT, O_TRUNC, O_APPEND, O_SYNC, O_NOATIME, O_NOFOLLOW, O_NOCTTY};
  int process = process_of(task), is_path = one_in(40);
  int flags = kinds[below(8)] | (one_in(2) ? more[below(sizeof more / sizeof *more)] : 0);
  int is_targets = options.target && one_in(2);
  if (descriptors(process) > 40)
    return;
  if (is_path)
    flags = O_PATH | (flags & (O_CLOEXEC | O_NOFOLLOW));
  struct instance *instance = new_instance(flags & O_ACCMODE, is_targets);
  if (!instance)
    return;
  snprintf(SHARED->scratch, 4096, "%s/%s%s", options.mount, is_targets ? "kcov.d/" : "kcov", is_targets ? options.target : "");
  if (!is_path && one_in(30)) {
    /* Calls that make no sense for a file that is there. */
    static const struct { int flags, error; } refused[] = {
        {O_CREAT | O_EXCL, EEXIST}, {O_DIRECTORY, ENOTDIR}, {O_TMPFILE, ENOTDIR}};
    int which = below(3);
    instance->used = 0;
    EXPECT(CALL(task, "", SYS_openat, AT_FDCWD, (long)SHARED->scratch, flags | refused[which].flags, 0600),
           "it is a file", refused[which].error, EINVAL);
    return;
  }
  char note[64];
  snprintf(note, sizeof note, "[i%d, %s]", instance->number, is_targets ? "a target's" : "kcov");
  struct outcome opened = CALL(task, note, SYS_openat, AT_FDCWD, (long)SHARED->scratch, flags, 0600);
  EXPECT(opened, "anybody may open it", 0);
  add_fd(process, opened.result, (struct descriptor){instance, !!(flags & O_CLOEXEC), is_path});
}

static void close_one(int task) {
  int fd = any_fd(process_of(task));
  if (fd < 0)
    return;
  EXPECT(CALL(task, note_of(processes[process_of(task)].fds[fd].instance), SYS_close, fd), "it is open", 0);
  close_fd(process_of(task), fd);
}

static void duplicate(int task) {
  int process = process_of(task), fd = any_fd(process);
  if (fd < 0 || descriptors(process) > 40)
    return;
  struct descriptor copy = processes[process].fds[fd];
  const char *note = note_of(copy.instance);
  struct outcome made;
  int to = below(FDS);
  switch (below(4)) {
  case 0:
    made = CALL(task, note, SYS_dup, fd);
    copy.closes_on_exec = 0;
    break;
  case 1:
    if (to < 3 || to == fd)
      return;
    /* That closes the descriptor that was there. */
    made = CALL(task, note, SYS_dup3, fd, to, O_CLOEXEC);
    copy.closes_on_exec = 1;
    if (processes[process].fds[to].instance)
      close_fd(process, to);
    break;
  case 2:
    if (to < 3 || to == fd)
      return;
    made = CALL(task, note, SYS_dup2, fd, to);
    copy.closes_on_exec = 0;
    if (processes[process].fds[to].instance)
      close_fd(process, to);
    break;
  default:
    made = CALL(task, note, SYS_fcntl, fd, one_in(2) ? F_DUPFD : F_DUPFD_CLOEXEC, 3);
    copy.closes_on_exec = SHARED->slots[task].args[1] == F_DUPFD_CLOEXEC;
  }
  EXPECT(made, "a descriptor can be had", 0);
  add_fd(process, made.result, copy);
}

/* A descriptor goes to another process by SCM_RIGHTS. */
static void pass(int task) {
  int fd = any_fd(process_of(task)), receiver = any_task();
  if (fd < 0 || descriptors(process_of(receiver)) > 40)
    return;
  struct descriptor descriptor = processes[process_of(task)].fds[fd];
  descriptor.closes_on_exec = 0;
  EXPECT(CALL(task, note_of(descriptor.instance), SEND, fd), "it can be sent", 0);
  /* On its way it may be the last that there is. */
  descriptor.instance->references++;
  if (one_in(2)) {
    EXPECT(CALL(task, "", SYS_close, fd), "it is open", 0);
    close_fd(process_of(task), fd);
  }
  struct outcome received = CALL(receiver, "", RECEIVE, 0);
  EXPECT(received, "it was sent", 0);
  add_fd(process_of(receiver), received.result, descriptor);
  descriptor.instance->references--;
}

static const uint64_t SIZES[] = {2, 3, 64, 511, 512, 513, 1000, 1024, 1536, 4096, 5000};

static void initialize(int task, int fd, struct instance *instance) {
  static const uint64_t odd[] = {0, 1, 0x7fffffff / 8 + 1, 1ul << 32, 1ul << 63, ~0ul};
  uint64_t words = one_in(6) ? odd[below(6)] : SIZES[below(11)];
  /* A large one is sparse. */
  if (one_in(300))
    words = one_in(2) ? 1 << 18 : 0x7fffffff / 8;
  struct outcome outcome = CALL(task, note_of(instance), SYS_ioctl, fd, KCOV_INIT_TRACE, words);
  if (words < 2 || words > 0x7fffffff / 8) {
    EXPECT(outcome, "no area has so many words", EINVAL);
  } else if (instance->state != OPENED) {
    EXPECT(outcome, "it is initialized", EBUSY);
  } else {
    EXPECT(outcome, "it is opened", 0);
    instance->state = INITIALIZED, instance->words = words;
    instance->pages = calloc((words + PAGE_WORDS - 1) / PAGE_WORDS, sizeof *instance->pages);
  }
}

/* The error of KCOV_ENABLE's checks, in the order of `kcov_ioctl_locked`; 0 for none. */
static int enable_error(int task, const struct instance *instance, uint64_t mode) {
  if (instance->state != INITIALIZED)
    return EINVAL;
  if (tasks[task].enabled)
    return EBUSY;
  if (mode > 1)
    return EINVAL;
  return mode == 1 && !options.compares ? ENOTSUPP : 0;
}

static void enable_plainly(int task, int fd, struct instance *instance) {
  static const uint64_t odd[] = {1, 1, 2, 3, 1ul << 32, ~0ul};
  uint64_t mode = one_in(5) ? odd[below(6)] : 0;
  int error = enable_error(task, instance, mode);
  EXPECT(CALL(task, note_of(instance), SYS_ioctl, fd, KCOV_ENABLE, mode), "by state, thread and mode", error);
  if (error == 0)
    enable(task, instance, mode == 1, can_write(instance));
}

static void owned(int task, int fd, struct instance *instance, unsigned long command) {
  uint64_t argument = one_in(8) ? 1ul << below(64) : 0;
  int error = argument != 0 || instance->owner != task ? EINVAL : 0;
  EXPECT(CALL(task, note_of(instance), SYS_ioctl, fd, command, argument), "it is for the thread that enabled", error);
  if (error)
    return;
  if (command == KCOV_RESET_TRACE) {
    set_word(instance, 0, 0);
    return;
  }
  give_back(instance);
  instance->is_settled = 1;
}

struct remote {
  uint32_t mode, size, count;
  uint64_t common, handles[];
};
#define USB (1ul << 56)

static int is_taken(uint64_t handle) {
  for (int i = 0; i < INSTANCES; i++)
    for (int j = 0; instances[i].used && j < instances[i].handle_count; j++)
      if (instances[i].handles[j] == handle)
        return 1;
  return 0;
}

/* Handles of this worker's alone, some that are none, and those of its target. */
static uint64_t any_handle(uint64_t subsystem) {
  uint64_t number = 100000 + 1000 * worker_number + below(6);
  if (options.target && one_in(3) && worker_number == 0)
    number = options.number;
  if (one_in(12))
    return (subsystem ^ USB) | number;
  if (one_in(20))
    return subsystem | number | 1ul << (32 + below(24));
  return subsystem | number;
}

/* The answer of `kcov_ioctl_locked` to handles: it takes them, or says why not. */
static int take_handles(const struct remote *remote, uint64_t *taken, int *count) {
  *count = 0;
  for (unsigned i = 0; i <= remote->count; i++) {
    int is_common = i == remote->count;
    uint64_t handle = is_common ? remote->common : remote->handles[i];
    if (is_common && handle == 0)
      break;
    if (handle & ~(0xfful << 56 | 0xffffffff) || handle >> 56 != !is_common || (is_common && !(handle & 0xffffffff)))
      return EINVAL;
    for (int j = 0; j < *count; j++)
      if (taken[j] == handle)
        return EEXIST;
    if (is_taken(handle))
      return EEXIST;
    taken[(*count)++] = handle;
  }
  return 0;
}

static void enable_remotely(int task, int fd, struct instance *instance) {
  struct remote *remote = (struct remote *)SHARED->scratch;
  unsigned count = below(MAX_HANDLES);
  int is_cut = one_in(15);
  /* The handles end where nothing is mapped any more, or beyond that. */
  if (is_cut || one_in(4))
    remote = (struct remote *)(SHARED->last + sizeof SHARED->last - sizeof *remote - 8 * (count - (is_cut && count)));
  *remote = (struct remote){one_in(8) ? below(4) : 0, below(5000), count, one_in(2) ? any_handle(0) : 0};
  for (unsigned i = 0; i < count - (is_cut && count); i++)
    remote->handles[i] = any_handle(USB);
  uint64_t taken[MAX_HANDLES + 1];
  int taken_count = 0, error;
  if (one_in(15))
    remote->count = 257 + below(1 << 30);
  long at = one_in(20) ? (long)below(4096) : (long)remote;
  struct outcome outcome = CALL(task, note_of(instance), SYS_ioctl, fd, KCOV_REMOTE_ENABLE, at);
  if (at != (long)remote)
    error = EFAULT;
  else if (remote->count > 256)
    error = EINVAL;
  else if (is_cut && count)
    error = EFAULT;
  else if (!(error = enable_error(task, instance, remote->mode)))
    error = take_handles(remote, taken, &taken_count);
  EXPECT(outcome, "by memory, number, state, thread, mode and handles", error);
  if (error)
    return;
  memcpy(instance->handles, taken, taken_count * sizeof *taken);
  instance->handle_count = taken_count, instance->is_remote = 1;
  enable(task, instance, remote->mode == 1, taken_count > 0 && can_write(instance));
}

static void unknown(int task, int fd, struct instance *instance) {
  const char *note = note_of(instance);
  unsigned number = below(256), size = below(200);
  long buffer = (long)SHARED->scratch;
  switch (below(5)) {
  case 0:
    if (number >= 100 && number <= 104)
      return;
    EXPECT(CALL(task, note, SYS_ioctl, fd, _IO('c', number), random_bits()), "kcov has none such", ENOTTY);
    return;
  case 1:
    EXPECT(CALL(task, note, SYS_ioctl, fd, _IO('k', number), random_bits()), "kcov has none such", ENOTTY);
    return;
  case 2:
    if (number == 1 && size == 8)
      return;
    EXPECT(CALL(task, note, SYS_ioctl, fd, _IOC(_IOC_READ, 'c', number, size), buffer), "kcov has none such", ENOTTY);
    return;
  case 3:
    expect_difference(CALL(task, note, SYS_ioctl, fd, KCOV_UNIQUE_ENABLE, below(4096)), UNIQUE);
    return;
  default:
    if (number == 102 || number == 103)
      return;
    EXPECT(CALL(task, note, SYS_ioctl, fd, _IOC(_IOC_WRITE | below(2) * _IOC_READ, 'c', number, size), buffer), "kcov has none such", ENOTTY);
  }
}

static void control(int task) {
  int process = process_of(task), fd = any_fd(process);
  if (fd < 0)
    return;
  if (processes[process].fds[fd].is_path) {
    EXPECT(CALL(task, "[a path]", SYS_ioctl, fd, KCOV_ENABLE, 0), "it is a path only", EBADF);
    return;
  }
  struct instance *instance = processes[process].fds[fd].instance;
  /* Calls that do something, more often than by chance. */
  if (instance->state == OPENED && one_in(2)) {
    initialize(task, fd, instance);
    return;
  }
  if (tasks[task].enabled && tasks[task].enabled != instance && one_in(2))
    for (int i = 0; i < FDS; i++)
      if (processes[process].fds[i].instance == tasks[task].enabled && !processes[process].fds[i].is_path)
        instance = processes[process].fds[fd = i].instance;
  unsigned long what = below(10);
  if (what == 0)
    initialize(task, fd, instance);
  else if (what < 4)
    enable_plainly(task, fd, instance);
  else if (what < 6)
    owned(task, fd, instance, KCOV_DISABLE);
  else if (what == 6)
    owned(task, fd, instance, KCOV_RESET_TRACE);
  else if (what < 9)
    enable_remotely(task, fd, instance);
  else
    unknown(task, fd, instance);
}

/* Threads begin and end. A thread that has ended has given back what it had enabled, as soon as it is joined. */
static void thread_step(int task) {
  int process = process_of(task), other = free_task(process);
  if (other != NOBODY && one_in(2)) {
    expect_task(other);
    EXPECT(CALL(task, "", SPAWN, other), "there may be more threads", 0);
    await_task(other);
    tasks[other].is_alive = 1;
    return;
  }
  for (other = process * THREADS; other < (process + 1) * THREADS; other++)
    if (other != task && tasks[other].is_alive && one_in(2)) {
      CALL(other, "", LEAVE, 0);
      EXPECT(CALL(task, task_name(other), JOIN, other), "the thread ends", 0);
      end_task(other);
      return;
    }
}

/* Waits until nothing of a process is left, whosever child it is. */
static void await_end(pid_t pid, int pidfd) {
  struct pollfd ended = {pidfd, POLLIN, 0};
  if (poll(&ended, 1, options.seconds * 1000) != 1)
    differs("process %d has not ended for %d s after SIGKILL", pid, options.seconds);
  close(pidfd);
}

static void kill_process(int process) {
  pid_t pid = processes[process].pid;
  int pidfd = syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0 || kill(pid, SIGKILL))
    differs("Cannot end process %d: %s", pid, strerror(errno));
  await_end(pid, pidfd);
  end_process(process);
}

/* SIGKILL, where one of the tasks is in a call of whose effect nothing is left then. */
static void kill_in_call(int task) {
  int process = process_of(task), fd = any_kcov(process);
  struct mapping *mapping = any_mapping(process);
  if (fd >= 0 && one_in(2)) {
    static const unsigned long commands[] = {KCOV_ENABLE, KCOV_DISABLE, 0x6300};
    struct instance *instance = processes[process].fds[fd].instance;
    begin_call(task, note_of(instance), SYS_ioctl, (long[6]){fd, commands[below(3)]});
    /* It may have been disabled, or be another's still. */
    if (instance->owner == task)
      instance->is_settled = 0;
  } else if (mapping && mapping->pages <= 16) {
    begin_call(task, "", COPY, (long[6]){(long)mapping->at, mapping->pages * PAGE_WORDS});
  } else if (fd >= 0) {
    begin_call(task, "", SYS_fsync, (long[6]){fd});
  } else {
    return;
  }
  if (one_in(2))
    usleep(below(300));
  kill_process(process);
}

static int living(void) {
  int count = 0;
  for (int i = 0; i < PROCESSES; i++)
    count += processes[i].is_alive;
  return count;
}

static void process_step(int task) {
  int process = process_of(task), other = free_process();
  unsigned long what = below(10);
  if (what < 4 && other != NOBODY) {
    int child = other * THREADS + below(THREADS);
    if (one_in(4)) {
      new_process(child);
      return;
    }
    expect_task(child);
    struct outcome forked = CALL(task, task_name(child), FORK, child);
    EXPECT(forked, "there may be more processes", 0);
    processes[other] = (struct process){.is_alive = 1, .pid = forked.result};
    tasks[child] = (struct task){.is_alive = 1};
    copy_process(process, other);
    await_task(child);
  } else if (what < 6 && living() > 1) {
    if (one_in(2) && !left_out("kill"))
      kill_in_call(task);
    else
      kill_process(process);
  } else if (!left_out("exec")) {
    /* The kernel gives the thread that execs the id of its process; see differences.h. */
    if (tasks[task].tid != processes[process].pid)
      return;
    EXPECT(CALL(task, tasks[task].enabled ? "[enabled]" : "", EXEC, 0), "the program is there", 0);
    replace_process(task);
  }
}

void step(void) {
  int task = any_task();
  if (options.target && worker_number == 0 && one_in(10)) {
    target_step(task);
    return;
  }
  unsigned long what = below(1000);
  if (what < 90)
    open_kcov(task);
  else if (what < 150)
    close_one(task);
  else if (what < 190)
    duplicate(task);
  else if (what < 220)
    pass(task);
  else if (what < 500)
    control(task);
  else if (what < 600)
    map_step(task);
  else if (what < 840)
    memory_step(task);
  else if (what < 920)
    file_step(task);
  else if (what < 960)
    tree_step(task);
  else if (what < 985)
    thread_step(task);
  else
    process_step(task);
}

void finish_model(void) {
  for (int i = 0; i < PROCESSES; i++)
    if (processes[i].is_alive)
      kill_process(i);
}
