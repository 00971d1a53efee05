/* Instances that threads of several processes call at the same time. Who wins is not known, but: there is one owner
 * at a time, only the owner disables, a call that was alone had to succeed, and who was killed owns nothing. */
#include "hostile.h"
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { SHARED_INSTANCES = 5, RIVALS = 3, EACH = 3, ROOT = RIVALS, CALLS = 60, WORDS = 1024, POOL = 3 };

/* The record of a shared instance. All counts are by process, for one that is killed does not count down. */
struct contest {
  int fd;
  _Atomic int epoch, under_way[RIVALS + 1];
  _Atomic int initialized, winners;
  /* Process and thread of the owner, 0 for none. */
  _Atomic int holder;
};

struct arena {
  struct contest contests[SHARED_INSTANCES];
  /* Who has the handles USB 1, 2, ... of this arena. */
  _Atomic int handles[POOL];
  /* The process that is being killed, and 1; what its threads own may be another's at any time. */
  _Atomic int dying;
  _Atomic int has_failed;
  _Atomic uint64_t calls;
  /* When each thread began its call, in s; 0 when it is in none. */
  _Atomic long began[RIVALS][EACH];
  _Atomic unsigned long doing[RIVALS][EACH];
};

static struct arena *arena;
static uint64_t *areas[SHARED_INSTANCES];
static uint64_t first_handle;

struct rival {
  int process, thread, mine;
  uint64_t random;
};

static uint64_t next(struct rival *rival, uint64_t n) {
  rival->random = rival->random * 6364136223846793005ul + 1442695040888963407ul;
  return (rival->random >> 33) % n;
}

static int name_of(const struct rival *rival) { return 1 + rival->process * EACH + rival->thread; }

static void wrong(const char *what, int instance, int error) {
  if (atomic_exchange(&arena->has_failed, 1) == 0)
    dprintf(2, "seed %lu, worker %d, shared instance %d: %s (errno %d)\n", options.seed, worker_number, instance, what, error);
  _exit(1);
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

static int control(struct rival *rival, int instance, unsigned long command, unsigned long argument) {
  atomic_fetch_add(&arena->calls, 1);
  atomic_store(&arena->doing[rival->process][rival->thread], command);
  atomic_store(&arena->began[rival->process][rival->thread], now());
  int error = ioctl(arena->contests[instance].fd, command, argument) ? errno : 0;
  atomic_store(&arena->began[rival->process][rival->thread], 0);
  return error;
}

static int count_under_way(struct contest *contest) {
  int count = 0;
  for (int i = 0; i <= RIVALS; i++)
    count += atomic_load(&contest->under_way[i]);
  return count;
}

/* Begins a call; returns the epoch if nothing else is under way and nobody owns the instance, else -1. */
static int enter(struct rival *rival, struct contest *contest) {
  atomic_fetch_add(&contest->under_way[rival->process], 1);
  int epoch = atomic_fetch_add(&contest->epoch, 1) + 1;
  return count_under_way(contest) == 1 && !atomic_load(&contest->holder) && atomic_load(&contest->initialized) ? epoch : -1;
}

static int was_alone(struct contest *contest, int epoch) {
  return epoch >= 0 && atomic_load(&contest->epoch) == epoch && count_under_way(contest) == 1;
}

static void leave(struct rival *rival, struct contest *contest) {
  atomic_fetch_sub(&contest->under_way[rival->process], 1);
}

/* Whether somebody owns what another has just got. */
static int still_owns(int name) { return name != 0 && (name - 1) / EACH + 1 != atomic_load(&arena->dying); }

static void take(struct rival *rival, int instance) {
  if (rival->mine >= 0)
    wrong("a thread that owns one got another", instance, 0);
  if (still_owns(atomic_exchange(&arena->contests[instance].holder, name_of(rival))))
    wrong("two threads own it", instance, 0);
  rival->mine = instance;
}

static void try_enable(struct rival *rival, int instance) {
  struct contest *contest = &arena->contests[instance];
  int epoch = enter(rival, contest), error = control(rival, instance, KCOV_ENABLE, 0);
  if (error == 0)
    take(rival, instance);
  else if (error == EBUSY && rival->mine < 0)
    wrong("KCOV_ENABLE says that the thread owns another", instance, error);
  else if (error != EBUSY && error != EINVAL)
    wrong("KCOV_ENABLE", instance, error);
  else if (rival->mine < 0 && was_alone(contest, epoch))
    wrong("nobody owns it, and KCOV_ENABLE fails", instance, error);
  leave(rival, contest);
}

static void try_remotely(struct rival *rival, int instance) {
  struct contest *contest = &arena->contests[instance];
  int which = next(rival, POOL);
  struct { uint32_t mode, size, count; uint64_t common, handle; } remote = {0, WORDS, 1, 0, 1ul << 56 | (first_handle + which)};
  int epoch = enter(rival, contest), error = control(rival, instance, KCOV_REMOTE_ENABLE, (unsigned long)&remote);
  if (error == 0) {
    take(rival, instance);
    if (still_owns(atomic_exchange(&arena->handles[which], name_of(rival))))
      wrong("two instances have a handle", instance, 0);
  } else if (error == EINVAL ? rival->mine < 0 && was_alone(contest, epoch) : error != EBUSY && error != EEXIST) {
    wrong("nobody owns it, and KCOV_REMOTE_ENABLE fails", instance, error);
  } else if (error == EBUSY && rival->mine < 0) {
    wrong("KCOV_REMOTE_ENABLE says that the thread owns another", instance, error);
  }
  leave(rival, contest);
}

static void let_go_of(_Atomic int *what, int name) { atomic_compare_exchange_strong(what, &name, 0); }

static void let_go(int name) {
  for (int i = 0; i < POOL; i++)
    let_go_of(&arena->handles[i], name);
}

static void try_disable(struct rival *rival, int instance) {
  struct contest *contest = &arena->contests[instance];
  int is_mine = rival->mine == instance;
  enter(rival, contest);
  if (is_mine) {
    let_go(name_of(rival));
    atomic_store(&contest->holder, 0);
    rival->mine = -1;
  }
  int error = control(rival, instance, KCOV_DISABLE, 0);
  if (error != (is_mine ? 0 : EINVAL))
    wrong("KCOV_DISABLE", instance, error);
  atomic_fetch_add(&contest->epoch, 1);
  leave(rival, contest);
}

static void try_initialize(struct rival *rival, int instance) {
  struct contest *contest = &arena->contests[instance];
  int was = atomic_load(&contest->initialized), error = control(rival, instance, KCOV_INIT_TRACE, WORDS);
  if (error == 0 && atomic_fetch_add(&contest->winners, 1) != 0)
    wrong("it is initialized twice", instance, 0);
  if (error == 0)
    atomic_store(&contest->initialized, 1);
  else if (error != EBUSY)
    wrong("KCOV_INIT_TRACE", instance, error);
  if (was && error == 0)
    wrong("it was initialized", instance, 0);
}

/* A child that enables and becomes another program, as tracers do; with a page that it has written. */
static void run_program(struct rival *rival, int instance) {
  struct contest *contest = &arena->contests[instance];
  enter(rival, contest);
  atomic_store(&arena->doing[rival->process][rival->thread], 0);
  atomic_store(&arena->began[rival->process][rival->thread], now());
  pid_t child = fork();
  if (child == 0) {
    if (ioctl(contest->fd, KCOV_ENABLE, 0) == 0 && atomic_load(&contest->initialized))
      for (int i = 512; i < WORDS; i += 100)
        areas[instance][i] = i;
    execl("/proc/self/exe", "hostile", "--nothing", (char *)NULL);
    _exit(3);
  }
  int status;
  if (waitpid(child, &status, 0) != child || status != 0)
    wrong("a program that is traced does not come to its end", instance, status);
  atomic_store(&arena->began[rival->process][rival->thread], 0);
  atomic_fetch_add(&arena->calls, 1);
  leave(rival, contest);
}

static void *compete(void *argument) {
  struct rival *rival = argument;
  for (int i = 0; i < CALLS; i++) {
    int instance = next(rival, SHARED_INSTANCES);
    unsigned long what = next(rival, 20);
    if (rival->mine >= 0 && next(rival, 3) == 0)
      try_disable(rival, rival->mine);
    else if (what < 8)
      try_enable(rival, instance);
    else if (what < 11)
      try_remotely(rival, instance);
    else if (what < 13)
      try_disable(rival, instance);
    else if (what < 15)
      try_initialize(rival, instance);
    else if (what < 16 && next(rival, 8) == 0 && !left_out("exec"))
      run_program(rival, instance);
    else if (what < 18 && rival->mine != instance) {
      int error = control(rival, instance, KCOV_RESET_TRACE, 0);
      if (error != EINVAL)
        wrong("KCOV_RESET_TRACE by another thread", instance, error);
    } else if (atomic_load(&arena->contests[instance].initialized)) {
      areas[instance][next(rival, 2) ? 0 : next(rival, WORDS)] = next(rival, 100);
    }
  }
  if (rival->mine >= 0)
    try_disable(rival, rival->mine);
  return NULL;
}

/* A process of some threads, on its own. */
static _Noreturn void rivals(int process, uint64_t seed) {
  pthread_t threads[EACH];
  struct rival all[EACH];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0; i < EACH; i++) {
    all[i] = (struct rival){process, i, -1, seed + i};
    if (pthread_create(&threads[i], NULL, compete, &all[i]))
      _exit(9);
  }
  for (int i = 0; i < EACH; i++)
    pthread_join(threads[i], NULL);
  _exit(0);
}

/* The leftovers of a process that is gone. */
static void bury(int process) {
  for (int i = 0; i < EACH; i++) {
    int name = 1 + process * EACH + i;
    let_go(name);
    atomic_store(&arena->began[process][i], 0);
    for (int j = 0; j < SHARED_INSTANCES; j++)
      let_go_of(&arena->contests[j].holder, name);
  }
  for (int j = 0; j < SHARED_INSTANCES; j++)
    atomic_store(&arena->contests[j].under_way[process], 0);
}

static void everywhere(int change) {
  for (int i = 0; i < SHARED_INSTANCES; i++) {
    atomic_fetch_add(&arena->contests[i].under_way[ROOT], change);
    atomic_fetch_add(&arena->contests[i].epoch, 1);
  }
}

static pid_t start(int process) {
  uint64_t seed = random_bits();
  pid_t pid = fork();
  if (pid == 0)
    rivals(process, seed);
  return pid;
}

static void open_all(void) {
  for (int i = 0; i < SHARED_INSTANCES; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/kcov", options.mount);
    arena->contests[i] = (struct contest){.fd = open(path, O_RDWR | (i % 2 ? O_CLOEXEC : 0))};
    if (arena->contests[i].fd < 0)
      wrong("open", i, errno);
    areas[i] = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, arena->contests[i].fd, 0);
    if (areas[i] == MAP_FAILED)
      wrong("mmap", i, errno);
  }
}

static void close_all(void) {
  for (int i = 0; i < SHARED_INSTANCES; i++) {
    munmap(areas[i], WORDS * 8);
    close(arena->contests[i].fd);
  }
}

/* Starts processes, kills some of them in whatever call they are, and starts others. */
static _Noreturn void compete_in_rounds(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGCHLD, SIG_DFL);
  while (atomic_load(&arena->calls) < options.calls && !is_over()) {
    pid_t pids[RIVALS];
    open_all();
    for (int i = 0; i < RIVALS; i++)
      pids[i] = start(i);
    for (int turn = 0; turn < 8 && !is_over(); turn++) {
      int victim = below(RIVALS);
      usleep(below(20000));
      everywhere(1);
      atomic_store(&arena->dying, victim + 1);
      kill(pids[victim], SIGKILL);
      waitpid(pids[victim], NULL, 0);
      bury(victim);
      atomic_store(&arena->dying, 0);
      everywhere(-1);
      pids[victim] = start(victim);
    }
    for (int i = 0; i < RIVALS; i++) {
      int status;
      waitpid(pids[i], &status, 0);
      if (status != 0)
        wrong("a process has not come to its end", 0, status);
      bury(i);
    }
    close_all();
  }
  _exit(0);
}

/* Looks on from outside, so that nothing that hangs can keep it. */
static void watch(pid_t root, struct progress *progress) {
  int status;
  while (waitpid(root, &status, WNOHANG) != root) {
    usleep(100000);
    atomic_store(&progress->calls, atomic_load(&arena->calls));
    for (int i = 0; i < RIVALS * EACH; i++) {
      long began = atomic_load(&arena->began[i / EACH][i % EACH]);
      if (began == 0 || now() - began < options.seconds)
        continue;
      dprintf(2, "seed %lu, worker %d: %s has not come back for %d s\n", options.seed, worker_number,
              arena->doing[i / EACH][i % EACH] ? "an ioctl" : "a program that is traced", options.seconds);
      kill(root, SIGKILL);
      _exit(1);
    }
  }
  if (status != 0 || atomic_load(&arena->has_failed))
    _exit(1);
}

void compete_for_instances(struct progress *progress) {
  arena = mmap(NULL, sizeof *arena, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  first_handle = 200000 + 1000 * worker_number;
  pid_t root = fork();
  if (root == 0)
    compete_in_rounds();
  watch(root, progress);
  atomic_store(&progress->calls, atomic_load(&arena->calls));
}
