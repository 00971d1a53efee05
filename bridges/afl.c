/* AFL++ and a function of JavaScript: an ordinary client of kcov's that is to AFL++ what a program is that was
 * compiled by afl-cc, in persistent mode. It speaks the fork server's protocol (AFL++'s include/types.h and
 * src/afl-forkserver.c), takes inputs from shared memory, gives each to a harness, and fills AFL++'s map with the
 * edges that it has taken there. `kcovfs afl` builds and runs it; its environment is in bridge.h, and has two more:
 *   KCOVFS_MAP_SIZE  counters in AFL++'s map
 *   KCOVFS_EDGES     a file that keeps the edges by their numbers, for when AFL++ starts this anew
 */
#define _GNU_SOURCE
#include "bridge.h"
#include <sys/shm.h>

/* AFL++ looks for this, and then gives inputs in shared memory. */
__attribute__((used)) static const char PERSISTENT[] = "##SIG_AFL_PERSISTENT##";

/* AFL++ writes to the first descriptor before each run, and reads from the next what comes of it. */
#define CONTROL 198
#define STATUS 199
#define FS_OPT_ENABLED 0x80000001u
#define FS_OPT_MAPSIZE 0x40000000u
#define FS_OPT_SHDMEM_FUZZ 0x01000000u
#define FS_OPT_SET_MAPSIZE(size) ((uint32_t)((size) - 1) << 1)
#define LARGEST_MAP (1 << 23)
#define LARGEST_INPUT (1 << 20)

/* Edges whose numbers are kept; there are no more of them in libFuzzer's counters either. */
#define KEPT (1 << 20)

#define WAIT "wait"
#define KILLED "{\"status\":9}"

struct input {
  uint32_t size;
  uint8_t data[];
};

struct kept {
  uint64_t count;
  uint64_t edges[KEPT];
};

static struct edges edges;
static struct kept *kept;
static struct input *input;
static pid_t decoy;
/* Nothing is to be run any more. */
static int is_over;

static int tell(uint32_t word) {
  return write(STATUS, &word, sizeof word) == sizeof word ? 0 : -1;
}

static int hear(uint32_t *word) {
  return read(CONTROL, word, sizeof *word) == sizeof *word ? 0 : -1;
}

static void *attach(const char *name) {
  void *memory = shmat(atoi(variable(name)), NULL, 0);
  if (memory == (void *)-1)
    fail("AFL++'s memory");
  return memory;
}

/* Each edge gets the number that it had in the process before this one: AFL++ remembers what it has seen. */
static void make_edges(size_t size) {
  if (edges_init(&edges, attach("__AFL_SHM_ID"), size))
    fail("edges");
  int fd = open(variable("KCOVFS_EDGES"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd == -1 || ftruncate(fd, sizeof *kept))
    fail("edges");
  kept = mmap(NULL, sizeof *kept, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (kept == MAP_FAILED)
    fail("edges");
  close(fd);
  for (uint64_t i = 0; i < kept->count; i++)
    edges_number(&edges, kept->edges[i]);
}

static void keep_edges(void) {
  if (edges.known <= kept->count || kept->count == KEPT)
    return;
  for (size_t i = 0; i < edges.capacity; i++) {
    const struct edges_slot *slot = &edges.slots[i];
    if (slot->edge && slot->number >= kept->count && slot->number < KEPT)
      kept->edges[slot->number] = slot->edge & ~EDGES_TAKEN;
  }
  kept->count = edges.known < KEPT ? edges.known : KEPT;
}

/* The process that AFL++ kills when an input has taken too long. It knows time only by the clock; the harness
 * goes on, until its processor time or its answer says what that was. */
static void start_decoy(void) {
  pid_t parent = getpid();
  decoy = fork();
  if (decoy == -1)
    fail("fork");
  if (decoy)
    return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == parent)
    execl("/proc/self/exe", "kcovfs-afl", WAIT, NULL);
  _exit(127);
}

static void end_decoy(void) {
  kill(decoy, SIGKILL);
  while (waitpid(decoy, NULL, 0) == -1 && errno == EINTR)
    ;
  decoy = 0;
}

/* To AFL++ a hang is an input after which it has killed a process; by the processor time of several threads it may
 * have been told before that. */
static void await_kill(void) {
  double end = harness_now(CLOCK_MONOTONIC) + harness.timeout * HARNESS_PATIENCE;
  while (waitpid(decoy, NULL, WNOHANG) == 0) {
    if (harness_now(CLOCK_MONOTONIC) > end)
      return;
    usleep(5000);
  }
  decoy = 0;
}

/* Where hangs are no findings, AFL++ kills the harness itself. */
static int is_killed(enum harness_answer answer) {
  return harness.timeout == 0 && answer == HARNESS_DIED && strcmp(harness.text, KILLED) == 0;
}

/* Returns the status, as of wait(2), of the process that AFL++ believes this to be. */
static int execute(void) {
  uint32_t size = input->size < LARGEST_INPUT ? input->size : LARGEST_INPUT;
  enum harness_answer answer = run_input(input->data, size);
  edges_count(&edges, cover);
  keep_edges();
  if (answer == HARNESS_OK)
    return 0;
  if (is_killed(answer))
    return SIGKILL;
  if (!report(answer, input->data, size))
    is_over = 1;
  if (answer != HARNESS_HANG)
    return SIGABRT;
  await_kill();
  return SIGKILL;
}

/* AFL++ ends as it does after Ctrl+C: it has kept the last input by now, and writes its statistics. */
static void stop_fuzzer(void) {
  kill(getppid(), SIGINT);
  _exit(FOUND);
}

static void serve(void) {
  uint32_t was_killed;
  while (hear(&was_killed) == 0) {
    /* AFL++ does not measure the time that this takes. */
    if (!is_over && !harness.pid && load_harness())
      is_over = 1;
    if (is_over)
      stop_fuzzer();
    if (was_killed && decoy)
      end_decoy();
    if (!decoy)
      start_decoy();
    if (tell((uint32_t)(harness.timeout > 0 ? decoy : harness.pid)) || tell((uint32_t)execute()))
      return;
  }
}

static void greet(size_t size) {
  uint32_t answer;
  if (tell(FS_OPT_ENABLED | FS_OPT_MAPSIZE | FS_OPT_SHDMEM_FUZZ | FS_OPT_SET_MAPSIZE(size)) || hear(&answer))
    fail("AFL++");
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], WAIT) == 0)
    for (;;)
      pause();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
  fcntl(STATUS, F_SETFD, FD_CLOEXEC);
  read_environment();
  open_findings();
  size_t size = (size_t)atol(variable("KCOVFS_MAP_SIZE"));
  if (size < 64 || size > LARGEST_MAP) {
    errno = EINVAL;
    fail("AFL_MAP_SIZE");
  }
  input = attach("__AFL_SHM_FUZZ_ID");
  make_edges(size);
  /* Without a harness AFL++ is greeted all the same: its own words about that would not help. */
  if (load_harness())
    is_over = 1;
  else
    open_kcov();
  greet(size);
  serve();
  return 0;
}
