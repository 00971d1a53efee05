/* A worker: it gives calls to actors and waits for them, and tells what went before when one differs. */
#include "hostile.h"
#include "model.h"
#include <poll.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

int worker_number;
static struct progress *mine;
static uint64_t state;
static int service = -1;

/* The last calls, the newest last. */
enum { KEPT = 80, LINE = 240 };
static char kept[KEPT][LINE];
static uint64_t count;

uint64_t random_bits(void) {
  uint64_t z = state += 0x9e3779b97f4a7c15ul;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ul;
  z = (z ^ z >> 27) * 0x94d049bb133111ebul;
  return z ^ z >> 31;
}
unsigned long below(unsigned long n) { return random_bits() % n; }
int one_in(unsigned long n) { return below(n) == 0; }

/* Whether `--without` lists it. */
int left_out(const char *what) {
  size_t length = strlen(what);
  for (const char *at = options.without; (at = strstr(at, what)); at++)
    if ((at == options.without || at[-1] == ',') && (at[length] == 0 || at[length] == ','))
      return 1;
  return 0;
}

static const char *name_of(long number) {
  static char other[32];
  static const struct { long number; const char *name; } names[] = {
      {LOAD, "load"}, {STORE, "store"}, {COPY, "copy"}, {FORK, "fork"}, {SPAWN, "pthread_create"},
      {LEAVE, "pthread_exit"}, {JOIN, "pthread_join"}, {EXEC, "exec"}, {SEND, "send_descriptor"},
      {RECEIVE, "receive_descriptor"}, {SYS_openat, "openat"}, {SYS_close, "close"}, {SYS_dup, "dup"},
      {SYS_dup2, "dup2"}, {SYS_dup3, "dup3"}, {SYS_fcntl, "fcntl"}, {SYS_ioctl, "ioctl"},
      {SYS_mmap, "mmap"}, {SYS_munmap, "munmap"}, {SYS_mremap, "mremap"}, {SYS_madvise, "madvise"},
      {SYS_mprotect, "mprotect"}, {SYS_msync, "msync"}, {SYS_mlock, "mlock"}, {SYS_munlock, "munlock"},
      {SYS_read, "read"}, {SYS_pread64, "pread"}, {SYS_readv, "readv"}, {SYS_preadv, "preadv"},
      {SYS_write, "write"}, {SYS_pwrite64, "pwrite"}, {SYS_writev, "writev"}, {SYS_pwritev2, "pwritev2"},
      {SYS_splice, "splice"}, {SYS_vmsplice, "vmsplice"}, {SYS_sendfile, "sendfile"},
      {SYS_copy_file_range, "copy_file_range"}, {SYS_fallocate, "fallocate"}, {SYS_ftruncate, "ftruncate"},
      {SYS_lseek, "lseek"}, {SYS_fsync, "fsync"}, {SYS_fdatasync, "fdatasync"}, {SYS_poll, "poll"},
      {SYS_flock, "flock"}, {SYS_fsetxattr, "fsetxattr"}, {SYS_fgetxattr, "fgetxattr"},
      {SYS_flistxattr, "flistxattr"}, {SYS_fremovexattr, "fremovexattr"}, {SYS_fstat, "fstat"},
      {SYS_fstatfs, "fstatfs"}, {SYS_fchmod, "fchmod"}, {SYS_fchown, "fchown"}, {SYS_utimensat, "utimensat"},
      {SYS_fadvise64, "fadvise"}, {SYS_readahead, "readahead"}, {SYS_sync_file_range, "sync_file_range"},
      {SYS_mkdirat, "mkdirat"}, {SYS_unlinkat, "unlinkat"}, {SYS_renameat2, "renameat2"},
      {SYS_linkat, "linkat"}, {SYS_symlinkat, "symlinkat"}, {SYS_mknodat, "mknodat"},
      {SYS_truncate, "truncate"}, {SYS_chmod, "chmod"}, {SYS_chown, "chown"}, {SYS_setxattr, "setxattr"},
      {SYS_getxattr, "getxattr"}, {SYS_listxattr, "listxattr"}, {SYS_removexattr, "removexattr"},
      {SYS_stat, "stat"}, {SYS_access, "access"}, {SYS_readlink, "readlink"}, {SYS_statfs, "statfs"},
      {SYS_getdents64, "getdents64"}, {SYS_inotify_add_watch, "inotify_add_watch"},
      {SYS_epoll_ctl, "epoll_ctl"}, {SYS_process_vm_writev, "process_vm_writev"}, {SYS_statx, "statx"}};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].number == number)
      return names[i].name;
  snprintf(other, sizeof other, "system call %ld", number);
  return other;
}

static char *line(uint64_t number) { return kept[number % KEPT]; }

static void note_call(int task, const char *note, long number, const long args[6]) {
  char *text = line(count++);
  int length = snprintf(text, LINE, "%s %s(", task_name(task), name_of(number));
  int last = 5;
  while (last > 0 && args[last] == 0)
    last--;
  for (int i = 0; i <= last; i++)
    length += snprintf(text + length, LINE - length, "%s%s%lx", i ? ", " : "",
                       args[i] < 0 || args[i] > 9 ? "0x" : "", args[i]);
  snprintf(text + length, LINE - length, ")%s%s", *note ? " " : "", note);
  atomic_fetch_add(&mine->calls, 1);
}

static const char *error_name(int error) {
  static char text[2][32];
  static int turn;
  char *at = text[turn ^= 1];
  if (error == 0)
    return "success";
  if (error < 0)
    snprintf(at, 32, "SIG%s", sigabbrev_np(-error) ? sigabbrev_np(-error) : "?");
  else if (strerrorname_np(error))
    snprintf(at, 32, "%s", strerrorname_np(error));
  else
    snprintf(at, 32, "errno %d", error);
  return at;
}

static void note_outcome(struct outcome outcome) {
  char *text = line(count - 1);
  size_t length = strlen(text);
  if (outcome.error == 0)
    snprintf(text + length, LINE - length, " = 0x%lx", outcome.result);
  else
    snprintf(text + length, LINE - length, " = %s", error_name(outcome.error));
  if (options.trace)
    dprintf(2, "%d %s\n", worker_number, text);
}

/* Says in one piece what is wrong and which calls led to it, and ends all that the worker has started. */
static _Noreturn void fail(const char *what) {
  static char text[KEPT * LINE + 4096];
  int length = snprintf(text, sizeof text, "seed %lu, worker %d, call %lu: %s\n%s\nthe calls before, of all %lu:\n", options.seed,
                        worker_number, count, line(count - 1), what, count);
  for (uint64_t i = count > KEPT ? count - KEPT : 0; i < count; i++)
    length += snprintf(text + length, sizeof text - length, "  %s\n", line(i));
  if (write(2, text, length) < 0)
    _exit(2);
  atomic_store(&mine->failed, 1);
  end_processes();
  _exit(1);
}

void differs(const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fail(text);
}

void expect(struct outcome outcome, const char *why, const int *errors) {
  char wanted[256] = "";
  for (const int *error = errors; *error != -1; error++) {
    if (*error == outcome.error)
      return;
    size_t length = strlen(wanted);
    snprintf(wanted + length, sizeof wanted - length, "%s%s", length ? " or " : "", error_name(*error));
  }
  differs("the model says %s: %s", wanted, why);
}

static void wait_for(struct slot *slot) {
  for (int waited = 0;; waited++) {
    uint32_t now = atomic_load(&slot->state);
    if (now == FUTEX_DONE)
      return;
    if (waited == options.seconds)
      differs("it has not come back for %d s", options.seconds);
    futex_wait(&slot->state, now, 1);
    /* Other wake-ups than that of the time do not count. */
    if (atomic_load(&slot->state) != now)
      waited--;
  }
}

void begin_call(int task, const char *note, long number, const long args[6]) {
  struct slot *slot = &SHARED->slots[task];
  note_call(task, note, number, args);
  slot->number = number;
  memcpy(slot->args, args, sizeof slot->args);
  atomic_store(&slot->state, FUTEX_GIVEN);
  futex_wake(&slot->state);
}

struct outcome call(int task, const char *note, long number, const long args[6]) {
  struct slot *slot = &SHARED->slots[task];
  begin_call(task, note, number, args);
  wait_for(slot);
  struct outcome outcome = {slot->result, slot->error};
  note_outcome(outcome);
  return outcome;
}

/* A task that is about to begin says so. */
void await_task(int task) {
  wait_for(&SHARED->slots[task]);
  tasks[task].tid = SHARED->slots[task].tid;
}

void expect_task(int task) { atomic_store(&SHARED->slots[task].state, FUTEX_IDLE); }

/* Sends a request to the service that is the target, and waits for its reply. */
void drive(unsigned char request) {
  unsigned char message[5] = {1, 0, 0, 0, request}, reply[4];
  char *text = line(count++);
  snprintf(text, LINE, "request %d", request);
  if (service < 0) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    service = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", options.service);
    if (connect(service, (struct sockaddr *)&address, sizeof address))
      differs("Cannot connect to %s: %s", options.service, strerror(errno));
  }
  if (write(service, message, sizeof message) != sizeof message)
    differs("the service has ended");
  for (size_t got = 0; got < sizeof reply;) {
    struct pollfd ready = {service, POLLIN, 0};
    if (poll(&ready, 1, options.seconds * 1000) <= 0)
      differs("the service has not answered for %d s", options.seconds);
    ssize_t size = read(service, reply + got, sizeof reply - got);
    if (size <= 0)
      differs("the service has ended");
    got += size;
  }
}

static void limit(int resource, rlim_t most) {
  struct rlimit limit = {most, most};
  if (setrlimit(resource, &limit))
    _exit(9);
}

static void move_descriptor(int from, int to) {
  if (from < 0 || dup2(from, to) != to)
    _exit(9);
  close(from);
}

static void prepare(void) {
  int pair[2];
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, FD_LIMIT);
  limit(RLIMIT_AS, 1ul << 37);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  int memory = memfd_create("hostile", 0);
  if (ftruncate(memory, sizeof(struct shared)))
    _exit(9);
  move_descriptor(memory, FD_SHARED);
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
    _exit(9);
  move_descriptor(pair[0], FD_SEND), move_descriptor(pair[1], FD_RECEIVE);
  if (pipe2(pair, O_NONBLOCK))
    _exit(9);
  move_descriptor(pair[1], FD_PIPE_IN), move_descriptor(pair[0], FD_PIPE_OUT);
  memory = memfd_create("file", 0);
  if (ftruncate(memory, 1 << 16))
    _exit(9);
  move_descriptor(memory, FD_FILE);
  start_actor();
  SHARED->worker = getpid();
}

void work(int worker, struct progress *progress) {
  worker_number = worker;
  mine = progress;
  state = options.seed * 1000003 + worker;
  if (worker >= options.workers - options.arenas) {
    compete_for_instances(progress);
    _exit(0);
  }
  prepare();
  begin_model();
  while (count < options.calls && !is_over())
    step();
  finish_model();
  end_processes();
  _exit(0);
}
