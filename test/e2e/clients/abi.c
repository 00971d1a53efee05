/* abi KCOV SCENARIO
 *
 * The errors of kcov's ioctls, as kernel/kcov.c has them, with CONFIG_KCOV_ENABLE_COMPARISONS if
 * COMPARISONS is set. Exits with 0 when the scenario came out as in the kernel, else says what differed. */
#define _GNU_SOURCE
#include "kcov.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define ENOTSUPP 524
/* The head of struct kcov_remote_arg, which is all that the ioctl's number counts. */
struct kcov_remote_arg { uint32_t trace_mode, area_size, num_handles; uint64_t common_handle; };
#define KCOV_REMOTE_ENABLE _IOW('c', 102, struct kcov_remote_arg)

static const char *path;

/* COMPARISONS says that they can be had. */
static int compares(void) { return getenv("COMPARISONS") != NULL; }

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
  EXPECT(compares() ? 0 : ENOTSUPP, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_CMP));
  EXPECT(compares() ? 0 : EINVAL, ioctl(fd, KCOV_DISABLE, 0));
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

#define COMMON(n) ((uint64_t)(n))
#define USB(n) (0x01ull << 56 | (n))

/* The most handles and one: the structure's last member, as kcov.h has it. */
struct remote {
  struct kcov_remote_arg head;
  uint64_t handles[257];
};

static long remote(int fd, struct remote arg) { return ioctl(fd, KCOV_REMOTE_ENABLE, &arg); }
#define REMOTE(fd, mode, count, common, ...)                                                       \
  remote(fd, (struct remote){{mode, 64, count, common}, {__VA_ARGS__}})

static void remote_errors(void) {
  int fd = open_kcov();
  uint64_t bad = 1ull << 40;
  EXPECT(EFAULT, ioctl(fd, KCOV_REMOTE_ENABLE, 0));
  EXPECT(EFAULT, ioctl(fd, KCOV_REMOTE_ENABLE, 1));
  EXPECT(EINVAL, REMOTE(fd, 0, 257, 0)); /* too many, whatever the state */
  EXPECT(EINVAL, REMOTE(fd, 0, ~0u, 0));
  EXPECT(EINVAL, REMOTE(fd, 0, 0, 0)); /* not initialised */
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 64ul));
  int other = open_kcov();
  EXPECT(0, ioctl(other, KCOV_INIT_TRACE, 64ul));
  EXPECT(0, ioctl(other, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(EBUSY, REMOTE(fd, 2, 0, bad)); /* the thread comes before the mode */
  EXPECT(0, ioctl(other, KCOV_DISABLE, 0));
  EXPECT(EINVAL, REMOTE(fd, 2, 0, 0));
  EXPECT(EINVAL, REMOTE(fd, ~0u, 0, 0));
  /* The mode comes before the handles. */
  EXPECT(compares() ? EINVAL : ENOTSUPP, REMOTE(fd, KCOV_TRACE_CMP, 0, bad));
  EXPECT(EINVAL, REMOTE(fd, 0, 0, bad));
  EXPECT(EINVAL, REMOTE(fd, 0, 0, USB(1)));
  EXPECT(EINVAL, REMOTE(fd, 0, 0, 0x02ull << 56 | 1));
  EXPECT(EINVAL, REMOTE(fd, 0, 1, 0, 0));
  EXPECT(EINVAL, REMOTE(fd, 0, 1, 0, COMMON(1)));
  EXPECT(EINVAL, REMOTE(fd, 0, 1, 0, USB(1) | bad));
  EXPECT(EINVAL, REMOTE(fd, 0, 2, 0, USB(1), bad));
  EXPECT(EEXIST, REMOTE(fd, 0, 2, 0, USB(1), USB(1)));
  EXPECT(0, REMOTE(fd, 0, 2, COMMON(1), USB(1), USB(0))); /* what failed has taken no handle */
  EXPECT(EINVAL, REMOTE(fd, 0, 0, COMMON(2)));            /* it is enabled */
  EXPECT(EINVAL, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(EBUSY, ioctl(other, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(EINVAL, ioctl(fd, KCOV_DISABLE, 1));
  EXPECT(0, ioctl(fd, KCOV_RESET_TRACE, 0));
  EXPECT(0, ioctl(fd, KCOV_DISABLE, 0));
  EXPECT(0, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
  EXPECT(0, ioctl(fd, KCOV_DISABLE, 0));
}

/* The handles are read beyond the head, wherever that is. */
static void remote_memory(void) {
  size_t page = sysconf(_SC_PAGESIZE);
  char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int fd = open_kcov();
  struct remote *arg = (struct remote *)(pages + page - sizeof arg->head - 8);
  arg->head = (struct kcov_remote_arg){0, 64, 2, 0};
  arg->handles[0] = USB(1), arg->handles[1] = USB(2);
  munmap(pages + page, page);
  EXPECT(EFAULT, ioctl(fd, KCOV_REMOTE_ENABLE, arg)); /* before the state */
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 1024ul));
  EXPECT(EFAULT, ioctl(fd, KCOV_REMOTE_ENABLE, arg));
  arg->head.num_handles = 1;
  EXPECT(0, ioctl(fd, KCOV_REMOTE_ENABLE, arg));
  EXPECT(0, ioctl(fd, KCOV_DISABLE, 0));
  /* In the area itself, on its first page and on pages that nobody has touched. */
  uint64_t *area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(area != MAP_FAILED);
  memcpy(area + 4, arg, sizeof arg->head + 8);
  EXPECT(0, ioctl(fd, KCOV_REMOTE_ENABLE, area + 4));
  EXPECT(0, ioctl(fd, KCOV_DISABLE, 0));
  arg = (struct remote *)(area + 512 - sizeof arg->head / 8);
  arg->head = (struct kcov_remote_arg){0, 64, 256, 0};
  EXPECT(EINVAL, ioctl(fd, KCOV_REMOTE_ENABLE, arg)); /* they are zeros */
  int most = open_kcov();
  EXPECT(0, ioctl(most, KCOV_INIT_TRACE, 64ul));
  struct remote all = {{0, 64, 256, COMMON(~0u)}, {0}};
  for (int i = 0; i < 256; i++)
    all.handles[i] = USB(i);
  EXPECT(0, remote(most, all));
}

static int remote_by_another_thread(int fd, struct remote *arg) {
  return by_another_thread(fd, KCOV_REMOTE_ENABLE, (unsigned long)arg);
}

static void remote_handles(void) {
  int first = open_kcov(), second = open_kcov(), third = open_kcov();
  int all[] = {first, second, third};
  for (int i = 0; i < 3; i++)
    EXPECT(0, ioctl(all[i], KCOV_INIT_TRACE, 64ul));
  struct remote mine = {{0, 64, 1, COMMON(1)}, {USB(7)}};
  struct remote list = {{0, 64, 2, 0}, {USB(8), USB(7)}};
  struct remote common = {{0, 64, 1, COMMON(1)}, {USB(8)}};
  EXPECT(0, remote(first, mine));
  CHECK(remote_by_another_thread(second, &list) == EEXIST);
  CHECK(remote_by_another_thread(second, &common) == EEXIST);
  EXPECT(0, ioctl(first, KCOV_DISABLE, 0));
  /* By a thread that has ended since: its handles can be taken at once. */
  CHECK(remote_by_another_thread(second, &list) == 0);
  EXPECT(0, remote(third, list));
  close(third); /* the thread has them still */
  CHECK(remote_by_another_thread(first, &list) == EEXIST);
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

/* Here a file cannot equal the device, whose mmap fails: docs/limits.md says so. */
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

/* Whatever a descriptor is good for elsewhere changes no word here: the kernel's kcov has no operation for it. */
static void nothing_changes(void) {
  char bytes[8192];
  memset(bytes, 7, sizeof bytes);
  struct iovec vector = {bytes, sizeof bytes};
  int ends[2], file = open("/proc/self/exe", O_RDONLY), fd = open_kcov();
  EXPECT(0, pipe(ends));
  CHECK(file >= 0 && write(ends[1], bytes, 4096) == 4096);
  EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 2048ul));
  volatile uint64_t *area = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  for (int i = 0; i < 2048; i++)
    area[i] = i + 1;
  EXPECT(EINVAL, write(fd, bytes, sizeof bytes));
  EXPECT(EINVAL, pwrite(fd, bytes, sizeof bytes, 0));
  EXPECT(EINVAL, pwrite(fd, bytes, 1, 16383));
  EXPECT(EINVAL, pwrite(fd, bytes, 100, 1 << 20));
  EXPECT(EINVAL, writev(fd, &vector, 1));
  EXPECT(EINVAL, splice(ends[0], NULL, fd, NULL, 4096, 0));
  EXPECT(EINVAL, sendfile(fd, file, NULL, 4096));
  CHECK(copy_file_range(file, NULL, fd, NULL, 4096, 0) == -1);
  EXPECT(EOPNOTSUPP, fallocate(fd, 0, 0, 1 << 20));
  EXPECT(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
  EXPECT(EINVAL, ftruncate(fd, 0));
  EXPECT(EINVAL, ftruncate(fd, 1 << 20));
  /* With passthrough the kernel asks the file behind, which is a tmpfs's: docs/limits.md says so. */
  if (!getenv("PASSTHROUGH"))
    EXPECT(EOPNOTSUPP, madvise((void *)area, 16384, MADV_REMOVE));
  madvise((void *)area, 16384, MADV_DONTNEED);
  for (int i = 0; i < 2048; i++)
    CHECK(area[i] == (uint64_t)i + 1);
  struct stat stats;
  CHECK(fstat(fd, &stats) == 0 && stats.st_size == 16384);
}

/* The names are the server's. */
static void names_stay(void) {
  char folder[256];
  snprintf(folder, sizeof folder, "%s", path);
  *strrchr(folder, '/') = 0;
  EXPECT(0, chdir(folder));
  EXPECT(EPERM, open("new", O_RDWR | O_CREAT, 0600));
  EXPECT(EPERM, mkdir("new", 0700));
  EXPECT(EPERM, mknod("new", S_IFIFO | 0600, 0));
  EXPECT(EPERM, symlink("kcov", "new"));
  EXPECT(EPERM, link("kcovfs/targets", "new"));
  EXPECT(EPERM, rename("kcovfs/targets", "kcovfs/new"));
  EXPECT(EPERM, unlink("kcov"));
  EXPECT(EPERM, rmdir("kcov.d"));
  CHECK(open(".", O_TMPFILE | O_RDWR, 0600) == -1);
  EXPECT(ENOENT, unlink("new"));
  EXPECT(0, utimensat(AT_FDCWD, "kcov", NULL, 0)); /* touch(1) */
  struct statfs stats;
  CHECK(statfs(".", &stats) == 0 && stats.f_bsize == 4096 && stats.f_blocks == 0);
  CHECK(stats.f_files >= 6 && stats.f_ffree == 0 && stats.f_namelen == 255);
}

/* A tracer's usual shape. exec closes or writes back what is ours under locks of the child's. */
static void execs_while_enabled(void) {
  for (int i = 0; i < 40; i++) {
    pid_t children[2];
    for (int k = 0; k < 2; k++) {
      int fd = open(path, O_RDWR | (k ? O_CLOEXEC : 0));
      CHECK(fd >= 0);
      EXPECT(0, ioctl(fd, KCOV_INIT_TRACE, 4096ul));
      volatile uint64_t *area = mmap(NULL, 32768, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if ((children[k] = fork()) == 0) {
        EXPECT(0, ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
        for (int word = 512; word < 4096; word += 512)
          area[word] = 1;
        execl("/bin/true", "true", NULL);
        _exit(1);
      }
      munmap((void *)area, 32768);
      close(fd);
    }
    for (int k = 0; k < 2; k++) {
      int status;
      CHECK(waitpid(children[k], &status, 0) == children[k] && status == 0);
    }
  }
}

int main(int argc, char **argv) {
  struct { const char *name; void (*run)(void); } scenarios[] = {
      {"init_sizes", init_sizes},
      {"any_size", any_size},
      {"enable_errors", enable_errors},
      {"disable_errors", disable_errors},
      {"reset_errors", reset_errors},
      {"other_ioctls", other_ioctls},
      {"remote_errors", remote_errors},
      {"remote_memory", remote_memory},
      {"remote_handles", remote_handles},
      {"data_stays", data_stays},
      {"read_and_write", read_and_write},
      {"mapping_before_init", mapping_before_init},
      {"owner_thread_exits", owner_thread_exits},
      {"owner_process_exits", owner_process_exits},
      {"closed_while_enabled", closed_while_enabled},
      {"many_instances", many_instances},
      {"reopened", reopened},
      {"nothing_changes", nothing_changes},
      {"names_stay", names_stay},
      {"execs_while_enabled", execs_while_enabled},
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
