/* An actor: a thread that makes the calls that its worker gives it. */
#include "hostile.h"
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

static __thread sigjmp_buf escape;
static pthread_t threads[TASKS];

void futex_wait(_Atomic uint32_t *word, uint32_t value, int seconds) {
  struct timespec limit = {.tv_sec = seconds};
  syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

void futex_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0); }

static void on_fault(int signal) { siglongjmp(escape, signal); }

static void *serve_thread(void *slot) { serve(slot); }

static long spawn(long task) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 17);
  return pthread_create(&threads[task], &attributes, serve_thread, &SHARED->slots[task]);
}

/* Passes a descriptor to whoever receives next. */
static long send_descriptor(int fd) {
  union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = {{0}};
  struct iovec iov = {"x", 1};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return sendmsg(FD_SEND, &message, MSG_DONTWAIT);
}

static long receive_descriptor(void) {
  union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  char byte;
  struct iovec iov = {&byte, 1};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  int fd;
  if (recvmsg(FD_RECEIVE, &message, MSG_DONTWAIT) < 0)
    return -1;
  if (!CMSG_FIRSTHDR(&message)) {
    errno = ENOMSG;
    return -1;
  }
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

static long execute(struct slot *slot) {
  char number[16];
  snprintf(number, sizeof number, "%d", (int)(slot - SHARED->slots));
  execl("/proc/self/exe", "hostile", "--actor", number, (char *)NULL);
  return -1;
}

static long fork_task(long task) {
  pid_t child = fork();
  if (child == 0)
    serve(&SHARED->slots[task]);
  return child;
}

static long perform(struct slot *slot) {
  volatile uint64_t *at = (volatile uint64_t *)slot->args[0];
  switch (slot->number) {
  case LOAD:
    return *at;
  case STORE:
    *at = slot->args[1];
    return 0;
  case COPY:
    for (long i = 0; i < slot->args[1]; i++)
      ((uint64_t *)SHARED->scratch)[i] = at[i];
    return 0;
  case FORK:
    return fork_task(slot->args[0]);
  case SPAWN:
    return spawn(slot->args[0]);
  case JOIN:
    return pthread_join(threads[slot->args[0]], NULL);
  case EXEC:
    return execute(slot);
  case SEND:
    return send_descriptor(slot->args[0]);
  case RECEIVE:
    return receive_descriptor();
  default:
    return syscall(slot->number, slot->args[0], slot->args[1], slot->args[2], slot->args[3], slot->args[4],
                   slot->args[5]);
  }
}

static void done(struct slot *slot) {
  atomic_store(&slot->state, FUTEX_DONE);
  futex_wake(&slot->state);
}

void serve(struct slot *slot) {
  threads[slot - SHARED->slots] = pthread_self();
  slot->pid = getpid();
  slot->tid = gettid();
  slot->error = 0, slot->result = 0;
  done(slot);
  for (;;) {
    uint32_t state = atomic_load(&slot->state);
    if (state != FUTEX_GIVEN) {
      futex_wait(&slot->state, state, 5);
      if (kill(SHARED->worker, 0) != 0)
        _exit(0);
      continue;
    }
    if (slot->number == LEAVE) {
      done(slot);
      pthread_exit(NULL);
    }
    int signal = sigsetjmp(escape, 1);
    errno = 0;
    long result = signal == 0 ? perform(slot) : -1;
    slot->error = signal != 0 ? -signal : result == -1 && slot->number != LOAD ? errno : 0;
    slot->result = result;
    done(slot);
  }
}

/* The set-up of every process of actors, at its start and after it was replaced by exec. */
void start_actor(void) {
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGSEGV, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGIO, SIG_IGN);
  signal(SIGCHLD, SIG_IGN);
  void *at = mmap(SHARED_AT, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, FD_SHARED, 0);
  if (at != SHARED_AT && errno != EEXIST)
    _exit(9);
}
