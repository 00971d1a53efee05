/* behaviour KCOV SOCKET SCENARIO
 *
 * The fate of an instance that is closed, duplicated, mapped twice, inherited or passed on. A
 * scenario asks the service for paths and prints, for each, the path's number and the PCs that were
 * read for it: `7 0xffffffff80001000 ...`. With REPEATED a block is told each time that it runs. The caller knows which code each path stands for. */
#include "kcov.h"
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#define WORDS 4096
#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      errno = 0;                                                                                   \
      die("line %d: not so: %s", __LINE__, #condition);                                            \
    }                                                                                              \
  } while (0)

static const char *path, *socket_path;
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void poke(int service, int number) {
  unsigned char byte = number;
  CHECK(service_request(service, &byte, 1) == (uint32_t)number);
}

static void print(int number, const volatile uint64_t *area) {
  pthread_mutex_lock(&output);
  uint64_t n = area[0];
  printf("%d", number);
  for (uint64_t i = 1; i <= n; i++)
    printf(" 0x%lx", area[i]);
  printf("\n");
  fflush(stdout);
  pthread_mutex_unlock(&output);
}

/* One turn of the plain loop. */
static void turn(struct kcov *kcov, int service, int number) {
  kcov_reset(kcov);
  poke(service, number);
  print(number, kcov->area);
}

static void loop(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  kcov_enable(&kcov);
  for (int i = 0; i < 64; i++)
    turn(&kcov, service, i);
  kcov_disable(&kcov);
}

static void reset_by_ioctl(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  kcov_enable(&kcov);
  for (int i = 0; i < 16; i++) {
    poke(service, i + 32); /* what is reset without having been read */
    CHECK(ioctl(kcov.fd, KCOV_RESET_TRACE, 0) == 0);
    poke(service, i);
    print(i, kcov.area);
  }
}

/* The area is as it was when tracing ended, whatever runs afterwards. */
static void disabled_before_reading(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  for (int i = 0; i < 16; i++) {
    kcov.area[0] = 0;
    kcov_enable(&kcov);
    poke(service, i);
    kcov_disable(&kcov);
    poke(service, i + 32);
    print(i, kcov.area);
  }
}

static void closed_while_mapped(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  kcov_enable(&kcov);
  close(kcov.fd);
  for (int i = 0; i < 8; i++)
    turn(&kcov, service, i);
}

static void duplicated(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  int copy = dup(kcov.fd);
  close(kcov.fd);
  kcov.fd = copy;
  kcov_enable(&kcov);
  for (int i = 0; i < 8; i++)
    turn(&kcov, service, i);
  kcov_disable(&kcov);
}

static void mapped_twice(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  uint64_t *second = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, kcov.fd, 0);
  CHECK(second != MAP_FAILED);
  kcov_enable(&kcov);
  for (int i = 0; i < 8; i++) {
    (i & 1 ? second : kcov.area)[0] = 0;
    poke(service, i);
    print(i, i & 1 ? kcov.area : second);
  }
  munmap(kcov.area, WORDS * 8);
  second[0] = 0;
  poke(service, 9);
  print(9, second);
}

static void mapped_otherwise(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  const uint64_t *readable = mmap(NULL, WORDS * 8, PROT_READ, MAP_SHARED, kcov.fd, 0);
  const uint64_t *private = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE, kcov.fd, 0);
  CHECK(readable != MAP_FAILED && private != MAP_FAILED);
  kcov_enable(&kcov);
  for (int i = 0; i < 8; i++) {
    kcov_reset(&kcov);
    poke(service, i);
    print(i, i & 1 ? readable : private);
  }
}

static void by_read(void) {
  static uint64_t words[WORDS];
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  kcov_enable(&kcov);
  for (int i = 0; i < 16; i++) {
    kcov_reset(&kcov);
    poke(service, i);
    CHECK(pread(kcov.fd, words, sizeof words, 0) == sizeof words);
    print(i, words);
  }
}

static void send_descriptor(int through, int fd) {
  char space[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = space,
                           .msg_controllen = sizeof space};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(head), &fd, sizeof fd);
  CHECK(sendmsg(through, &message, 0) == 1);
}

static int receive_descriptor(int through) {
  char space[CMSG_SPACE(sizeof(int))], byte;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = space,
                           .msg_controllen = sizeof space};
  int fd;
  CHECK(recvmsg(through, &message, 0) == 1);
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

/* Whoever enables is the owner, whoever opened. */
static void passed_on(void) {
  int pair[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  pid_t child = fork();
  if (child == 0) {
    struct kcov kcov = {.fd = receive_descriptor(pair[1]), .words = WORDS};
    kcov.area = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, kcov.fd, 0);
    CHECK(kcov.area != MAP_FAILED);
    kcov_enable(&kcov);
    int service = service_connect(socket_path);
    for (int i = 0; i < 8; i++)
      turn(&kcov, service, i);
    kcov_disable(&kcov);
    exit(0);
  }
  struct kcov kcov = kcov_open(path, WORDS);
  send_descriptor(pair[0], kcov.fd);
  close(kcov.fd);
  munmap(kcov.area, WORDS * 8);
  int status;
  waitpid(child, &status, 0);
  CHECK(status == 0);
}

/* A child is not the owner; it shares the descriptor and the mapping. */
static void forked(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  kcov_enable(&kcov);
  kcov_reset(&kcov);
  for (int i = 0; i < 8; i++) {
    pid_t child = fork();
    if (child == 0) {
      CHECK(ioctl(kcov.fd, KCOV_DISABLE, 0) < 0 && errno == EINVAL);
      CHECK(ioctl(kcov.fd, KCOV_ENABLE, 0) < 0 && errno == EINVAL);
      turn(&kcov, service, i);
      exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK(status == 0);
    turn(&kcov, service, i + 16);
  }
  kcov_disable(&kcov);
}

/* The child's coverage from before its exit can be read. */
static void child_owns(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  for (int i = 0; i < 8; i++) {
    pid_t child = fork();
    if (child == 0) {
      kcov_enable(&kcov);
      kcov_reset(&kcov);
      poke(service, i);
      _exit(0);
    }
    waitpid(child, NULL, 0);
    print(i, kcov.area);
  }
}

/* exec goes on: the thread is the same. */
static void executed(char **argv) {
  struct kcov kcov = kcov_open(path, WORDS);
  kcov_enable(&kcov);
  char number[16];
  snprintf(number, sizeof number, "%d", kcov.fd);
  fcntl(kcov.fd, F_SETFD, 0);
  setenv("KCOV_FD", number, 1);
  execl("/proc/self/exe", argv[0], path, socket_path, "executed", NULL);
  die("exec");
}

static void after_exec(int fd) {
  struct kcov kcov = {.fd = fd, .words = WORDS};
  kcov.area = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(kcov.area != MAP_FAILED);
  int service = service_connect(socket_path);
  for (int i = 0; i < 8; i++)
    turn(&kcov, service, i);
  struct kcov other = kcov_open(path, WORDS);
  CHECK(ioctl(other.fd, KCOV_ENABLE, 0) < 0 && errno == EBUSY);
  kcov_disable(&kcov);
}

static void *eight(void *number) {
  int service = service_connect(socket_path), first = (int)(intptr_t)number;
  struct kcov kcov = kcov_open(path, WORDS);
  kcov_enable(&kcov);
  for (int i = 0; i < 25; i++)
    turn(&kcov, service, first);
  kcov_disable(&kcov);
  return NULL;
}

static void eight_threads(void) {
  pthread_t threads[8];
  for (intptr_t i = 0; i < 8; i++)
    pthread_create(&threads[i], NULL, eight, (void *)i);
  for (int i = 0; i < 8; i++)
    pthread_join(threads[i], NULL);
}

static void on_alarm(int signal) { (void)signal; }

/* Signals interrupt the faults and the ioctls; the kernel's device does not mind. */
static void signalled(void) {
  int service = service_connect(socket_path);
  struct itimerval often = {{0, 150}, {0, 150}};
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct kcov kcov = kcov_open(path, WORDS);
  setitimer(ITIMER_REAL, &often, NULL);
  for (int i = 0; i < 64; i++) {
    kcov_enable(&kcov);
    turn(&kcov, service, i);
    kcov_disable(&kcov);
  }
}

static void overflow(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, 4);
  kcov_enable(&kcov);
  for (int i = 0; i < 4; i++) {
    kcov_reset(&kcov);
    poke(service, i);
    CHECK(kcov_count(&kcov) == 3);
    poke(service, i + 8);
    CHECK(kcov_count(&kcov) == 3);
    CHECK(kcov.area[1] >> 32 == 0xffffffff && kcov.area[3] >> 32 == 0xffffffff);
  }
}

/* A client may begin behind the first PCs, or read again without a reset. */
static void odd_counts(void) {
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, WORDS);
  kcov_enable(&kcov);
  kcov_reset(&kcov);
  poke(service, 1);
  uint64_t n = kcov_count(&kcov), again = kcov_count(&kcov);
  CHECK(n > 3 && n == again);
  poke(service, 1);
  CHECK(kcov_count(&kcov) == (is_repeated() ? 2 * n : n));
  kcov.area[0] = 100;
  kcov.area[100] = 0;
  poke(service, 1);
  CHECK(kcov_count(&kcov) == 100 + n);
  /* As the kernel adds 1 to it first, it may write its first PC there. */
  kcov.area[0] = ~0ull;
  poke(service, 2);
  CHECK(kcov_count(&kcov) >> 32 == 0xffffffff);
  turn(&kcov, service, 3);
}

/* All 512 MiB of the largest area, cleared by the client. */
static void cleared(void) {
  unsigned long words = 64ul << 20;
  int service = service_connect(socket_path);
  struct kcov kcov = kcov_open(path, words);
  kcov_enable(&kcov);
  memset(kcov.area, 0, words * 8);
  turn(&kcov, service, 5);
  CHECK(kcov.area[words - 1] == 0 && kcov.area[words / 2] == 0);
  turn(&kcov, service, 6);
}

int main(int argc, char **argv) {
  struct { const char *name; void (*run)(void); } scenarios[] = {
      {"loop", loop},
      {"reset_by_ioctl", reset_by_ioctl},
      {"disabled_before_reading", disabled_before_reading},
      {"closed_while_mapped", closed_while_mapped},
      {"duplicated", duplicated},
      {"mapped_twice", mapped_twice},
      {"mapped_otherwise", mapped_otherwise},
      {"by_read", by_read},
      {"passed_on", passed_on},
      {"forked", forked},
      {"child_owns", child_owns},
      {"eight_threads", eight_threads},
      {"signalled", signalled},
      {"overflow", overflow},
      {"odd_counts", odd_counts},
      {"cleared", cleared},
  };
  if (argc != 4)
    die("usage: behaviour KCOV SOCKET SCENARIO");
  path = argv[1], socket_path = argv[2];
  const char *inherited = getenv("KCOV_FD");
  if (inherited)
    return after_exec(atoi(inherited)), 0;
  if (!strcmp(argv[3], "executed"))
    executed(argv);
  for (unsigned i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
    if (!strcmp(scenarios[i].name, argv[3]))
      return scenarios[i].run(), 0;
  die("there is no scenario %s", argv[3]);
}
