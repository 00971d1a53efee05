/* abi KCOV SCENARIO
 *
 * The errors of kcov's ioctls, as kernel/kcov.c has them. Exits with 0 when the scenario came out as in
 * the kernel, else says what differed. */
#include "kcov.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#define ENOTSUPP 524
/* The head of struct kcov_remote_arg, which is all that the ioctl's number counts. */
struct kcov_remote_arg { uint32_t trace_mode, area_size, num_handles; uint64_t common_handle; };
#define KCOV_REMOTE_ENABLE _IOW('c', 102, struct kcov_remote_arg)

static const char *path;

/* Checks that a call gives 0 (error 0) or -1 with an errno. */
#define EXPECT(error, call)                                                                        \
  do {                                                                                             \
    errno = 0;                                                                                     \
    long result = (call);                                                                          \
    int got = result < 0 ? errno : 0;                                                              \
    if (got != (error)) {                                                                          \
      fprintf(stderr, "line %d: %s gave errno %d, not %d\n", __LINE__, #call, got, (error));       \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                              \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

static int open_kcov(void) {
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    die("open %s", path);
  return fd;
}

static void init_sizes(void) {
  int fd = open_kcov();
  EXPECT(EINVAL, ioctl(fd, KCOV_INIT_TRACE, 0ul));
  EXPECT(EINVAL, ioctl(fd, KCOV_INIT_TRACE, 1ul));
  EXPECT(EINVAL, ioctl(fd, KCOV_INIT_TRACE, (unsigned long)INT32_MAX / 8 + 1));
  EXPECT(EINVAL, ioctl(fd, KCOV_INIT_TRACE, ~0ul));
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 2ul));
  EXPECT(EBUSY, ioctl(fd, KCOV_INIT_TRACE, 2ul));
  EXPECT(EINVAL, ioctl(fd, KCOV_INIT_TRACE, 1ul)); /* the size is checked first */
  fd = open_kcov();
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, (unsigned long)INT32_MAX / 8));
}

static void any_size(void) {
  unsigned long sizes[] = {2, 3, 511, 512, 513, 1000, 1024, 65537, 1 << 20};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct kcov kcov = kcov_open(path, sizes[i]);
    CHECK(kcov.area[0] == 0 && kcov.area[sizes[i] - 1] == 0);
    kcov.area[sizes[i] - 1] = 42;
    kcov_enable(&kcov);
    CHECK(kcov.area[0] == 0 && kcov.area[sizes[i] - 1] == 42);
    kcov_disable(&kcov);
    CHECK(kcov.area[sizes[i] - 1] == 42);
    munmap(kcov.area, sizes[i] * 8);
    close(kcov.fd);
  }
}

static void enable_errors(void) {
  int fd = open_kcov();
  EXPECT(EINVAL, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 64ul));
  EXPECT(EINVAL, ioctl(fd, KCOV_ENABLE, 2));
  EXPECT(EINVAL, ioctl(fd, KCOV_ENABLE, ~0ul));
  EXPECT(ENOTSUPP, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_CMP));
  EXPECT(0, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(EINVAL, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(EBUSY, ioctl(fd, KCOV_INIT_TRACE, 64ul));
  int other = open_kcov();
  EXPECT(EINVAL, ioctl(other, KCOV_ENABLE, KCOV_TRACE_PC)); /* its state comes first */
  EXPECT(0, ioctl(other, KCOV_INIT_TRACE, 64ul));
  EXPECT(EBUSY, ioctl(other, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(EBUSY, ioctl(other, KCOV_ENABLE, 2)); /* the thread comes before the mode */
  EXPECT(0, ioctl(fd, KCOV_DISABLE, 0));
  EXPECT(0, ioctl(other, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(0, ioctl(other, KCOV_DISABLE, 0));
}

struct attempt {
  int fd;
  unsigned long command, argument;
  int error;
};

static void *attempt(void *argument) {
  struct attempt *try = argument;
  try->error = ioctl(try->fd, try->command, try->argument) ? errno : 0;
  return NULL;
}

static int by_another_thread(int fd, unsigned long command, unsigned long argument) {
  struct attempt try = {fd, command, argument, 0};
  pthread_t thread;
  pthread_create(&thread, NULL, attempt, &try);
  pthread_join(thread, NULL);
  return try.error;
}

static void disable_errors(void) {
  int fd = open_kcov();
  EXPECT(EINVAL, ioctl(fd, KCOV_DISABLE, 0));
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 64ul));
  EXPECT(EINVAL, ioctl(fd, KCOV_DISABLE, 0));
  EXPECT(0, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(EINVAL, ioctl(fd, KCOV_DISABLE, 1));
  CHECK(by_another_thread(fd, KCOV_DISABLE, 0) == EINVAL);
  CHECK(by_another_thread(fd, KCOV_ENABLE, KCOV_TRACE_PC) == EINVAL);
  EXPECT(0, ioctl(fd, KCOV_DISABLE, 0));
  EXPECT(EINVAL, ioctl(fd, KCOV_DISABLE, 0));
  EXPECT(0, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(0, ioctl(fd, KCOV_DISABLE, 0));
}

static void reset_errors(void) {
  struct kcov kcov = kcov_open(path, 64);
  EXPECT(EINVAL, ioctl(kcov.fd, KCOV_RESET_TRACE, 0));
  EXPECT(0, ioctl(kcov.fd, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(EINVAL, ioctl(kcov.fd, KCOV_RESET_TRACE, 1));
  CHECK(by_another_thread(kcov.fd, KCOV_RESET_TRACE, 0) == EINVAL);
  kcov.area[0] = 5;
  EXPECT(0, ioctl(kcov.fd, KCOV_RESET_TRACE, 0));
  CHECK(kcov.area[0] == 0);
  EXPECT(0, ioctl(kcov.fd, KCOV_DISABLE, 0));
  EXPECT(EINVAL, ioctl(kcov.fd, KCOV_RESET_TRACE, 0));
}

static void other_ioctls(void) {
  char bytes[4096] = {0};
  int fd = open_kcov();
  EXPECT(ENOTTY, ioctl(fd, _IO('c', 99), 0));
  EXPECT(ENOTTY, ioctl(fd, _IO('c', 105), 0));
  EXPECT(ENOTTY, ioctl(fd, _IO('k', 100), 0));
  EXPECT(ENOTTY, ioctl(fd, _IOR('c', 1, int), bytes));
  EXPECT(EINVAL, ioctl(fd, KCOV_REMOTE_ENABLE, bytes));
}

/* The words stay where they are when tracing ends, also for a mapping made afterwards. */
static void data_stays(void) {
  struct kcov kcov = kcov_open(path, 1024);
  kcov_enable(&kcov);
  kcov.area[0] = 3, kcov.area[1] = 11, kcov.area[2] = 22, kcov.area[3] = 33, kcov.area[1023] = 44;
  kcov_disable(&kcov);
  uint64_t *again = mmap(NULL, 1024 * 8, PROT_READ, MAP_SHARED, kcov.fd, 0);
  CHECK(again != MAP_FAILED);
  CHECK(again[0] == 3 && again[1] == 11 && again[2] == 22 && again[3] == 33 && again[1023] == 44);
  kcov_enable(&kcov);
  CHECK(again[0] == 3 && again[1] == 11 && again[1023] == 44);
  kcov_disable(&kcov);
}

static void read_and_write(void) {
  uint64_t words[2048];
  int fd = open_kcov();
  EXPECT(EINVAL, read(fd, words, sizeof words));
  EXPECT(EINVAL, write(fd, words, 8));
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 1000ul));
  uint64_t *area = mmap(NULL, 8000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  area[0] = 2, area[1] = 7, area[2] = 8, area[999] = 9;
  CHECK(pread(fd, words, sizeof words, 0) == 8000);
  CHECK(words[0] == 2 && words[1] == 7 && words[2] == 8 && words[3] == 0 && words[999] == 9);
  EXPECT(0, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
  area[0] = 0;
  CHECK(pread(fd, words, 16, 0) == 16 && words[0] == 0 && words[1] == 7);
  CHECK(pread(fd, words, 16, 8000) == 0);
  EXPECT(EINVAL, write(fd, words, 8));
  EXPECT(0, ioctl(fd, KCOV_DISABLE, 0));
}

static sigjmp_buf escape;
static void on_sigbus(int signal) { siglongjmp(escape, signal); }

/* Here a file cannot equal the device, whose mmap fails: the README says so. */
static void mapping_before_init(void) {
  int fd = open_kcov();
  volatile uint64_t *area = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (area == MAP_FAILED)
    return;
  signal(SIGBUS, on_sigbus);
  if (sigsetjmp(escape, 1) == 0) {
    area[0] = 1;
    CHECK(!"touching the mapping went well");
  }
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 512ul));
  area[0] = 1;
  CHECK(area[0] == 1);
}

static void *hold_and_exit(void *argument) {
  int fd = *(int *)argument;
  if (ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
    die("KCOV_ENABLE by the thread");
  return NULL;
}

static void owner_thread_exits(void) {
  struct kcov kcov = kcov_open(path, 64);
  pthread_t thread;
  pthread_create(&thread, NULL, hold_and_exit, &kcov.fd);
  pthread_join(thread, NULL);
  kcov.area[0] = 0;
  EXPECT(0, ioctl(kcov.fd, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(0, ioctl(kcov.fd, KCOV_DISABLE, 0));
}

static void owner_process_exits(void) {
  struct kcov kcov = kcov_open(path, 64);
  for (int i = 0; i < 5; i++) {
    pid_t child = fork();
    if (child == 0) {
      kcov_enable(&kcov);
      _exit(0);
    }
    siginfo_t info; /* a zombie no longer traces */
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    EXPECT(0, ioctl(kcov.fd, KCOV_ENABLE, KCOV_TRACE_PC));
    EXPECT(0, ioctl(kcov.fd, KCOV_DISABLE, 0));
    waitpid(child, NULL, 0);
  }
}

/* The thread still traces when nobody can see the area any more. */
static void closed_while_enabled(void) {
  struct kcov kcov = kcov_open(path, 64);
  kcov_enable(&kcov);
  munmap(kcov.area, 64 * 8);
  close(kcov.fd);
  int fd = open_kcov();
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 64ul));
  for (int i = 0; i < 20; i++) {
    EXPECT(EBUSY, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
    usleep(10000);
  }
  CHECK(by_another_thread(fd, KCOV_ENABLE, KCOV_TRACE_PC) == 0);
}

static void many_instances(void) {
  enum { N = 200 };
  struct kcov all[N];
  for (int i = 0; i < N; i++) {
    all[i] = kcov_open(path, 512);
    all[i].area[0] = i;
  }
  for (int i = 0; i < N; i++)
    CHECK(all[i].area[0] == (uint64_t)i);
}

static void reopened(void) {
  char name[64];
  int fd = open_kcov();
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  EXPECT(EBUSY, open(name, O_RDWR)); /* an inode is an area */
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 64ul));
  EXPECT(EINVAL, ftruncate(fd, 0));
  EXPECT(EPERM, fchmod(fd, 0666));
  EXPECT(0, fsync(fd));
}

int main(int argc, char **argv) {
  struct { const char *name; void (*run)(void); } scenarios[] = {
      {"init_sizes", init_sizes},
      {"any_size", any_size},
      {"enable_errors", enable_errors},
      {"disable_errors", disable_errors},
      {"reset_errors", reset_errors},
      {"other_ioctls", other_ioctls},
      {"data_stays", data_stays},
      {"read_and_write", read_and_write},
      {"mapping_before_init", mapping_before_init},
      {"owner_thread_exits", owner_thread_exits},
      {"owner_process_exits", owner_process_exits},
      {"closed_while_enabled", closed_while_enabled},
      {"many_instances", many_instances},
      {"reopened", reopened},
  };
  if (argc != 3)
    die("usage: abi KCOV SCENARIO");
  path = argv[1];
  for (unsigned i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
    if (!strcmp(scenarios[i].name, argv[2])) {
      scenarios[i].run();
      return 0;
    }
  die("there is no scenario %s", argv[2]);
}
