/* libFuzzer and a function of JavaScript: an ordinary client of kcov's. Each input goes to a harness, and the
 * edges that it has taken there become libFuzzer's counters. `kcovfs libfuzzer` builds and runs it; its
 * environment is in bridge.h, and besides:
 *   KCOVFS_NAME         the harness's name as a target
 *   KCOVFS_COMPARISONS  if it is there: comparisons guide
 *   KCOVFS_WORDS        if it is there: a file with words that guide, once HARNESS_LOADED is told
 */
#define _GNU_SOURCE
#include "bridge.h"
#include "guide.h"

/* An edge each; memory is taken by those that there are. libFuzzer learns of them a page at a time, for it
 * clears and reads all that it knows with each input. */
#define COUNTERS (1 << 20)
#define COUNTERS_PAGE 4096
/* More, one for each time that an input comes further in what it compares. */
#define FURTHER (64 << 10)
void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop);

static struct edges edges;
static struct guide guide;
static size_t told, told_further;
static uint8_t *counters, *further;
static size_t further_count;
/* Bytes of what mutations make, at most, for now, and inputs that have found nothing since it grew: libFuzzer
 * itself does not begin with short ones where there is a mutator of one's own. */
static size_t longest = 64, unsuccessful;
/* By counter, the buckets of its counts that there were. */
static uint8_t *seen;


static void tell_counters(size_t known) {
  for (; told < known && told < COUNTERS; told += COUNTERS_PAGE)
    __sanitizer_cov_8bit_counters_init(counters + told, counters + told + COUNTERS_PAGE);
}

static uint8_t *map_bytes(size_t size) {
  void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (bytes == MAP_FAILED)
    fail("counters");
  return bytes;
}

static void make_counters(void) {
  counters = map_bytes(COUNTERS);
  seen = map_bytes(COUNTERS);
  further = map_bytes(FURTHER);
  if (edges_init(&edges, counters, COUNTERS))
    fail("counters");
  tell_counters(1);
}

/* libFuzzer does not say what it keeps: whether a count is of a bucket that was not there yet. */
static int has_found(size_t known) {
  int is_new = 0;
  for (size_t i = 0; i < known && i < COUNTERS; i += 8) {
    uint64_t some;
    memcpy(&some, counters + i, sizeof some);
    for (size_t at = i; some; some >>= 8, at++) {
      unsigned count = some & 0xff;
      unsigned bucket = count < 4 ? count : count < 8 ? 4 : count < 16 ? 5 : count < 32 ? 6 : count < 128 ? 7 : 8;
      uint8_t bit = count ? 1 << (bucket - 1) : 0;
      is_new |= bit & ~seen[at];
      seen[at] |= bit;
    }
  }
  return is_new != 0;
}

/* Has libFuzzer keep the input, by a counter that was never raised. */
static void keep(void) {
  if (further_count == FURTHER)
    return;
  if (further_count == told_further) {
    __sanitizer_cov_8bit_counters_init(further + told_further, further + told_further + COUNTERS_PAGE);
    told_further += COUNTERS_PAGE;
  }
  further[further_count++] = 1;
}

/* libFuzzer's own way to end would take this for a crash. */
static void end(int status) {
  guide_end(&guide);
  if (harness.pid)
    harness_end(&harness, 0);
  _exit(status);
}

static void start_harness(void) {
  if (load_harness())
    end(BROKEN);
}

static void start_guide(void) {
  const char *words = getenv("KCOVFS_WORDS");
  guide_init(&guide, 0);
  if (words) {
    harness.size = 0;
    if (!report(HARNESS_LOADED, NULL, 0))
      end(BROKEN);
    guide_add_words(&guide, words);
  }
  if (getenv("KCOVFS_COMPARISONS"))
    guide_start(&guide, &harness);
}

static void start(void) {
  /* Without kcovfs there is nothing to be guided by. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  read_environment();
  open_findings();
  start_harness();
  make_counters();
  start_guide();
  /* The second harness is not to be measured there. */
  if (guide.is_comparing)
    measured = variable("KCOVFS_NAME");
  open_kcov();
}

/* As much as libFuzzer would by itself. */
static void grow(int is_successful) {
  size_t step = 1;
  while (longest >> (step + 1))
    step++;
  unsuccessful = is_successful ? 0 : unsuccessful + 1;
  if (unsuccessful <= 100 * step)
    return;
  longest += step;
  unsuccessful = 0;
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
  size_t known = edges_count(&edges, cover);
  tell_counters(known);
  int is_new = has_found(known);
  grow(is_new);
  if (guide_compare(&guide, data, size, is_new))
    keep();
  guide.is_hinted = 0;
  return 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned random) {
  size_t limit = size > longest ? size : longest;
  max = max < limit ? max : limit;
  size_t result = guide_mutate(&guide, data, size, max, random);
  return result ? result : LLVMFuzzerMutate(data, size, max);
}
