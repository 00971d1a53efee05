/* libFuzzer and a function of JavaScript: an ordinary client of kcov's. Each input goes to a harness, and the
 * edges that it has taken there become libFuzzer's counters. `kcovfs libfuzzer` builds and runs it; its
 * environment is in bridge.h.
 */
#define _GNU_SOURCE
#include "bridge.h"

/* An edge each; memory is taken by those that there are. libFuzzer learns of them a page at a time, for it
 * clears and reads all that it knows with each input. */
#define COUNTERS (1 << 20)
#define COUNTERS_PAGE 4096
void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop);

static struct edges edges;
static size_t told;
static uint8_t *counters;

static void tell_counters(size_t known) {
  for (; told < known && told < COUNTERS; told += COUNTERS_PAGE)
    __sanitizer_cov_8bit_counters_init(counters + told, counters + told + COUNTERS_PAGE);
}

static void make_counters(void) {
  counters = mmap(NULL, COUNTERS, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (counters == MAP_FAILED || edges_init(&edges, counters, COUNTERS))
    fail("counters");
  tell_counters(1);
}

/* libFuzzer's own way to end would take this for a crash. */
static void end(int status) {
  if (harness.pid)
    harness_end(&harness, 0);
  _exit(status);
}

static void start_harness(void) {
  if (load_harness())
    end(BROKEN);
}

static void start(void) {
  /* Without kcovfs there is nothing to be guided by. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  read_environment();
  open_findings();
  start_harness();
  /* A harness that measures comparisons, with an instance of its own, is to be started here. */
  make_counters();
  open_kcov();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* Not before it is needed: a process that only starts others has none. */
  if (!cover)
    start();
  if (!harness.pid)
    start_harness();
  enum harness_answer answer = run_input(data, (uint32_t)size);
  if (answer != HARNESS_OK) {
    /* It does not come into the corpus. */
    if (!report(answer, data, size))
      end(FOUND);
    return 0;
  }
  tell_counters(edges_count(&edges, cover));
  return 0;
}

/* LLVMFuzzerCustomMutator is to be here, once there are comparisons to mutate by: see hints.h. */
