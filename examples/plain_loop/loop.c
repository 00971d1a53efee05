/* loop COMMAND...
 *
 * A coverage-guided fuzzer: sends messages to the standard input of COMMAND, keeps those that reach
 * what none before did, and changes these further, until COMMAND replies that it failed. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0
#define COVER_SIZE (64 << 10)

#define LENGTH 8
#define FAILED 255
#define MOST_MESSAGES 4096

static int to, from;
static uint8_t corpus[MOST_MESSAGES][LENGTH];
/* PCs are multiples of 8; two of them may share a place. */
static uint8_t seen[1 << 16];

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static uint64_t *open_kcov(void) {
  const char *path = getenv("KCOV");
  int fd = open(path ? path : "/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
  if (fd == -1 || ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
    fail("kcov");
  uint64_t *cover =
      mmap(NULL, COVER_SIZE * sizeof *cover, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
    fail("kcov");
  return cover;
}

static void start(char **command) {
  int input[2], output[2];
  if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC))
    fail("pipe");
  if (fork() == 0) {
    /* However this ends, the service does not outlive it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(input[0], 0);
    dup2(output[1], 1);
    execvp(command[0], command);
    _exit(127);
  }
  close(output[1]);
  to = input[1];
  from = output[0];
}

static uint8_t request(const uint8_t *message) {
  uint8_t reply;
  if (write(to, message, LENGTH) != LENGTH || read(from, &reply, 1) != 1)
    errx(2, "the service gave no reply");
  return reply;
}

int main(int argc, char **argv) {
  int messages = 1;
  uint8_t message[LENGTH];
  if (argc < 2) {
    fprintf(stderr, "usage: loop COMMAND...\n");
    return 2;
  }
  start(argv + 1);
  request(corpus[0]);
  uint64_t *cover = open_kcov();
  for (unsigned executions = 1;; executions++) {
    memcpy(message, corpus[rand() % messages], LENGTH);
    message[rand() % LENGTH] = rand();
    __atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
    if (request(message) == FAILED) {
      printf("It fails on message %u:", executions);
      for (int i = 0; i < LENGTH; i++)
        printf(" %02x", message[i]);
      printf("\n");
      return 0;
    }
    int is_new = 0;
    uint64_t n = __atomic_load_n(&cover[0], __ATOMIC_RELAXED);
    for (uint64_t i = 1; i <= n; i++) {
      uint8_t *place = &seen[(cover[i] >> 3) % sizeof seen];
      is_new |= !*place;
      *place = 1;
    }
    if (is_new && messages < MOST_MESSAGES)
      memcpy(corpus[messages++], message, LENGTH);
  }
}
