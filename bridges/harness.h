/* A harness: a process of Node's that runs a function of JavaScript on inputs, one by one. It starts, is sent
 * an input, answers, and is told apart by what it does instead: it ends, it loops, it takes all memory. The
 * protocol is in src/harness/protocol.ts.
 *
 *   struct harness harness = {.command = command, .timeout = 10, .memory = 1024};
 *   harness_start(&harness);
 *   ...
 *   switch (harness_run(&harness, data, size)) { ... }
 *
 * Its text is in harness.text, until the next call.
 */
#ifndef KCOVFS_HARNESS_H
#define KCOVFS_HARNESS_H
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum harness_answer {
  HARNESS_LOADED = 'L',
  HARNESS_FAILED = 'e', /* The module cannot be loaded: the text says why. */
  HARNESS_OK = 'o',
  HARNESS_FINDING = 'f', /* The text is what was found. */
  /* After these it has ended; harness_start starts another. */
  HARNESS_LEAVING = 'g', /* It found something, and ended itself. */
  HARNESS_DIED = 'd',    /* The text has the status of wait(2). */
  HARNESS_HANG = 'h',    /* The text is where it was, or empty. */
  HARNESS_MEMORY = 'm',  /* The same. */
};

struct harness {
  char *const *command;
  double timeout; /* Seconds of processor time; 0: none. */
  long memory;    /* MB that it may take; 0: as it likes. */
  const char *name; /* The target's; NULL: what the environment says. */
  int is_quiet;     /* It is not asked where it is. */
  pid_t pid;
  int channel;
  int watcher;
  uint32_t size;
  char *text;
};

/* Seconds that pass without an answer before anybody looks at what it takes. */
#define HARNESS_LOOK 0.05
/* How many times its processor time an input may take in all: it may sleep. */
#define HARNESS_PATIENCE 10
/* Seconds of processor time that loading the module may take, at least. */
#define HARNESS_LOADING 60
/* ms in which it tells where it is, or ends when it has said that it does. */
#define HARNESS_GRACE 5000

static inline double harness_now(clockid_t clock) {
  struct timespec now;
  return clock_gettime(clock, &now) ? -1 : now.tv_sec + now.tv_nsec / 1e9;
}

static inline double harness_processor_time(const struct harness *harness) {
  clockid_t clock;
  return clock_getcpuclockid(harness->pid, &clock) ? -1 : harness_now(clock);
}

/* MB of memory that are its own. */
static inline long harness_resident(const struct harness *harness) {
  char path[64];
  long resident = 0, shared = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", (int)harness->pid);
  FILE *file = fopen(path, "re");
  if (!file)
    return 0;
  if (fscanf(file, "%*d %ld %ld", &resident, &shared) != 2)
    resident = shared = 0;
  fclose(file);
  return (resident - shared) * (sysconf(_SC_PAGESIZE) / 1024) / 1024;
}

/* 1 when all is there, 0 when the other end has gone, -1 when nothing has come in time. */
static inline int harness_receive(int fd, void *to, size_t size) {
  for (size_t got = 0; got < size;) {
    ssize_t count = recv(fd, (char *)to + got, size - got, 0);
    if (count > 0)
      got += (size_t)count;
    else if (count == 0 || (errno != EINTR && errno != EAGAIN))
      return 0;
    else if (errno == EAGAIN && got == 0)
      return -1;
  }
  return 1;
}

static inline int harness_send(int fd, struct iovec *parts, int count) {
  while (count > 0) {
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent == -1 && errno != EINTR)
      return -1;
    for (size_t left = sent > 0 ? (size_t)sent : 0; count > 0 && left >= parts->iov_len; count--)
      left -= (parts++)->iov_len, sent = (ssize_t)left;
    if (count > 0 && sent > 0) {
      parts->iov_base = (char *)parts->iov_base + sent;
      parts->iov_len -= (size_t)sent;
    }
  }
  return 0;
}

/* Sets the text; to none without a size. */
static inline int harness_receive_text(struct harness *harness, int fd) {
  uint32_t size = 0;
  harness->size = 0;
  if (harness_receive(fd, &size, sizeof size) != 1)
    return 0;
  char *text = (char *)realloc(harness->text, (size_t)size + 1);
  if (!text)
    return 0;
  harness->text = text;
  if (size && harness_receive(fd, text, size) != 1)
    return 0;
  text[size] = 0;
  harness->size = size;
  return 1;
}

static inline void harness_set_text(struct harness *harness, const char *text) {
  char *copy = strdup(text);
  if (!copy)
    return;
  free(harness->text);
  harness->text = copy;
  harness->size = (uint32_t)strlen(copy);
}

/* Ends it, with what it has started, and says how it ended. */
static inline enum harness_answer harness_end(struct harness *harness, int is_dead) {
  int status = 0;
  char text[32];
  /* One that has closed the channel is about to end by itself: its status is of interest. */
  for (int waited = 0; is_dead && waited < HARNESS_GRACE; waited += 5) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)harness->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
      break;
    usleep(5000);
  }
  kill(-harness->pid, SIGKILL);
  kill(harness->pid, SIGKILL);
  while (waitpid(harness->pid, &status, 0) == -1 && errno == EINTR)
    ;
  close(harness->channel);
  close(harness->watcher);
  harness->pid = 0;
  snprintf(text, sizeof text, "{\"status\":%d}", status);
  if (is_dead)
    harness_set_text(harness, text);
  return HARNESS_DIED;
}

/* Where it is, if it can say so; and its end. */
static inline enum harness_answer harness_interrupt(struct harness *harness, enum harness_answer why) {
  struct timeval patience = {HARNESS_GRACE / 1000, 0};
  setsockopt(harness->watcher, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  harness->size = 0;
  if (!harness->is_quiet && send(harness->watcher, why == HARNESS_MEMORY ? "!" : "?", 1, MSG_NOSIGNAL) == 1)
    harness_receive_text(harness, harness->watcher);
  harness_end(harness, 0);
  return why;
}

static inline enum harness_answer harness_wait(struct harness *harness) {
  uint8_t answer;
  int got = harness_receive(harness->channel, &answer, 1);
  if (got == -1) {
    double start = harness_now(CLOCK_MONOTONIC) - HARNESS_LOOK;
    double used = harness_processor_time(harness) - HARNESS_LOOK;
    while ((got = harness_receive(harness->channel, &answer, 1)) == -1) {
      double timeout = harness->timeout;
      if (timeout > 0 && (harness_processor_time(harness) - used > timeout ||
                          harness_now(CLOCK_MONOTONIC) - start > timeout * HARNESS_PATIENCE))
        return harness_interrupt(harness, HARNESS_HANG);
      if (harness->memory > 0 && harness_resident(harness) > harness->memory)
        return harness_interrupt(harness, HARNESS_MEMORY);
    }
  }
  harness->size = 0;
  if (got == 0)
    return harness_end(harness, 1);
  if (answer == HARNESS_FINDING || answer == HARNESS_LEAVING || answer == HARNESS_FAILED) {
    if (!harness_receive_text(harness, harness->channel))
      return harness_end(harness, 1);
    if (answer != HARNESS_FINDING) {
      char *text = harness->text;
      uint32_t size = harness->size;
      harness->text = NULL;
      harness_end(harness, 1);
      free(harness->text);
      harness->text = text;
      harness->size = size;
    }
  }
  return (enum harness_answer)answer;
}

/* Sends an input, and waits for what comes of it. */
static inline enum harness_answer harness_run(struct harness *harness, const uint8_t *data, uint32_t size) {
  struct iovec parts[] = {{&size, sizeof size}, {(void *)data, size}};
  harness->size = 0;
  if (harness_send(harness->channel, parts, 2))
    return harness_end(harness, 1);
  return harness_wait(harness);
}

/* Starts it, and waits until the module is loaded: HARNESS_LOADED, or why it is not. */
static inline enum harness_answer harness_start(struct harness *harness) {
  int channel[2], watcher[2];
  struct timeval look = {0, (suseconds_t)(HARNESS_LOOK * 1e6)};
  pid_t parent = getpid();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, watcher)) {
    perror("socketpair");
    exit(2);
  }
  harness->pid = fork();
  if (harness->pid == 0) {
    /* However this ends, the harness does not outlive it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
      _exit(127);
    setpgid(0, 0);
    if (!freopen("/dev/null", "r", stdin))
      _exit(127);
    /* Neither is to be where the other goes. */
    int ends[] = {dup(channel[1]), dup(watcher[1])};
    int high[] = {fcntl(ends[0], F_DUPFD, 10), fcntl(ends[1], F_DUPFD, 10)};
    dup2(high[0], 3);
    dup2(high[1], 4);
    for (int i = 0; i < 2; i++) {
      close(high[i]);
      if (ends[i] > 4)
        close(ends[i]);
    }
    if (harness->name)
      setenv("KCOVFS_NAME", harness->name, 1);
    execvp(harness->command[0], harness->command);
    perror(harness->command[0]);
    _exit(127);
  }
  close(channel[1]);
  close(watcher[1]);
  harness->channel = channel[0];
  harness->watcher = watcher[0];
  setsockopt(harness->channel, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof look);
  struct harness loading = *harness;
  if (loading.timeout > 0 && loading.timeout < HARNESS_LOADING)
    loading.timeout = HARNESS_LOADING;
  enum harness_answer answer = harness_wait(&loading);
  loading.timeout = harness->timeout;
  *harness = loading;
  return answer;
}
#endif
