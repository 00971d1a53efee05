/* Random calls on a kcov device, checked against a model of kernel/kcov.c. See main.c for how it is run.
 *
 * A worker never calls the device itself: its actors do, threads of several processes, one call at a time. So the
 * worker knows the order of the calls, and a call that does not come back is told by its text. */
#ifndef HOSTILE_H
#define HOSTILE_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define KCOV_INIT_TRACE 0x80086301ul
#define KCOV_ENABLE 0x6364ul
#define KCOV_DISABLE 0x6365ul
#define KCOV_REMOTE_ENABLE 0x40186366ul
#define KCOV_UNIQUE_ENABLE 0x40086367ul
#define KCOV_RESET_TRACE 0x6368ul
#define ENOTSUPP 524
#define PAGE 4096ul
#define PAGE_WORDS 512ul

enum { PROCESSES = 4, THREADS = 3, TASKS = PROCESSES * THREADS };

/* Actions of an actor that are no system calls of their own. */
enum { LOAD = -1, STORE = -2, COPY = -3, FORK = -4, SPAWN = -5, LEAVE = -6, JOIN = -7, EXEC = -8, SEND = -9, RECEIVE = -10 };

/* Where the memory is, in all processes, that a worker shares with its actors. */
#define SHARED_AT ((char *)0x300000000000ul)
enum { SCRATCH = 1 << 18, FUTEX_IDLE = 0, FUTEX_GIVEN = 1, FUTEX_DONE = 2 };

/* A task's call: given by the worker, done by the actor. `error` is an errno, or a signal's number below 0. */
struct slot {
  _Atomic uint32_t state;
  pid_t pid, tid;
  long number, args[6], result;
  int error;
};

struct shared {
  pid_t worker;
  struct slot slots[TASKS];
  _Alignas(4096) char scratch[SCRATCH];
  /* Nothing is mapped behind this page. */
  char last[4096];
};
#define SHARED ((struct shared *)SHARED_AT)

/* Descriptors that all actors have, out of the way of those that the calls make. */
enum { FD_SHARED = 200, FD_SEND, FD_RECEIVE, FD_PIPE_IN, FD_PIPE_OUT, FD_FILE, FD_LIMIT = 230 };

void futex_wait(_Atomic uint32_t *word, uint32_t value, int seconds);
void futex_wake(_Atomic uint32_t *word);

/* actor.c */
_Noreturn void serve(struct slot *slot);
void start_actor(void);

/* The choices of the command line. */
struct options {
  const char *mount, *program, *target, *service;
  uint64_t seed, calls;
  int workers, only, seconds, duration, compares, direct, trace, arenas;
  long number;
  const char *without;
};
extern struct options options;
/* Whether `--duration` has passed. */
int is_over(void);

/* A worker's place in the memory that it shares with the program that started it. */
struct progress {
  _Atomic uint64_t calls;
  _Atomic int failed;
};

/* worker.c */
uint64_t random_bits(void);
unsigned long below(unsigned long n);
int one_in(unsigned long n);
int left_out(const char *what);
struct outcome {
  long result;
  int error;
};
/* Has a task make a call and waits for its end. `note` says what the arguments are. */
struct outcome call(int task, const char *note, long number, const long args[6]);
#define CALL(task, note, number, ...) call(task, note, (long)(number), (long[6]){__VA_ARGS__})
/* Begins a call, and does not wait for its end. */
void begin_call(int task, const char *note, long number, const long args[6]);
/* The call before has an outcome that the model does not have. */
_Noreturn void differs(const char *format, ...);
/* One of the errnos that are listed, 0 for none, up to -1; or a signal. */
void expect(struct outcome outcome, const char *why, const int *errors);
#define EXPECT(outcome, why, ...) expect(outcome, why, (const int[]){__VA_ARGS__, -1})
void drive(unsigned char request);
void work(int worker, struct progress *progress);
extern int worker_number;

/* arena.c */
void compete_for_instances(struct progress *progress);

#endif
