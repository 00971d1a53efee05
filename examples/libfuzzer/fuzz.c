/* A libFuzzer target in JavaScript: sends each input to `node serve.mjs`, and gives libFuzzer the
 * counters that it wants, made of kcov's PCs. A crash is a reply that says so. */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0
#define COVER_SIZE (64 << 10)

/* A reply of serve.mjs. */
#define ERROR 2

static char *const command[] = {"node", "serve.mjs", NULL};

/* libFuzzer clears what is in this section before each input, and takes it for counters after. */
#define COUNTERS (1 << 16)
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

static uint64_t *cover;
static int target;

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void start_target(void) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    fail("socketpair");
  target = ends[0];
  if (fork() == 0) {
    /* However this ends, the target does not outlive it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], 0);
    dup2(ends[1], 1);
    execvp(command[0], command);
    _exit(127);
  }
  close(ends[1]);
}

static void open_kcov(void) {
  const char *path = getenv("KCOV");
  int fd = open(path ? path : "/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
  if (fd == -1 || ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
    fail("kcov");
  cover = mmap(NULL, COVER_SIZE * sizeof *cover, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
    fail("kcov");
}

/* The end of the target is an error, too. */
static uint8_t request(const uint8_t *data, uint32_t size) {
  uint8_t reply;
  struct iovec parts[] = {{&size, sizeof size}, {(void *)data, size}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  if (sendmsg(target, &message, MSG_NOSIGNAL) == -1 || recv(target, &reply, 1, 0) != 1)
    return ERROR;
  return reply;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  start_target();
  /* Code that is loaded for the first input must not count as that input's. */
  if (request(NULL, 0) == ERROR)
    fail("the target");
  open_kcov();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  __atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
  uint8_t reply = request(data, size);
  uint64_t n = __atomic_load_n(&cover[0], __ATOMIC_RELAXED);
  for (uint64_t i = 1; i <= n; i++) {
    uint8_t *counter = &counters[(cover[i] >> 3) % COUNTERS];
    *counter += *counter < 255;
  }
  if (reply == ERROR)
    abort();
  return 0;
}
