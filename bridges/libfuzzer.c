/* libFuzzer and a function of JavaScript: an ordinary client of kcov's. Each input goes to a harness, and the
 * edges that it has taken there become libFuzzer's counters. `kcovfs libfuzzer` builds and runs it, and is
 * told what is found; how, is in src/fuzzing/findings_server.ts.
 *
 * Its environment:
 *   KCOVFS_HARNESS          the harness's command, with 0x1f between its words
 *   KCOVFS_HARNESS_TIMEOUT  seconds of processor time an input may take
 *   KCOVFS_HARNESS_MEMORY   MB that the harness may take
 *   KCOVFS_FINDINGS         the socket that findings are told on
 *   KCOVFS_EXECUTIONS       a file with one u64: inputs that were run
 *   KCOVFS_NAME             the harness's name as a target
 *   KCOVFS_COMPARISONS      if it is there: comparisons guide
 *   KCOVFS_WORDS            if it is there: a file with words that guide, once HARNESS_LOADED is told
 */
#define _GNU_SOURCE
#include "edges.h"
#include "guide.h"
#include "harness.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/un.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0
#define COVER_SIZE (64 << 10)

/* An edge each; memory is taken by those that there are. libFuzzer learns of them a page at a time, for it
 * clears and reads all that it knows with each input. */
#define COUNTERS (1 << 20)
#define COUNTERS_PAGE 4096
/* More, one for each time that an input comes further in what it compares. */
#define FURTHER (64 << 10)
void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop);

/* The statuses of this program's own: something was found and that is the end; it cannot go on. */
#define FOUND 1
#define BROKEN 3
#define SEPARATOR "\x1f"

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
static uint64_t *cover;
static uint64_t *executions;
static int findings = -1;
static char *command[256];
static struct harness harness = {.command = command};

static void fail(const char *what) {
  perror(what);
  _exit(BROKEN);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  if (!value) {
    fprintf(stderr, "%s is not set: this is run by kcovfs libfuzzer\n", name);
    _exit(BROKEN);
  }
  return value;
}

static void open_kcov(void) {
  const char *path = getenv("KCOV");
  path = path ? path : "/sys/kernel/debug/kcov";
  /* What the second harness does is not to be in here. */
  int fd = guide.is_comparing ? guide_open(path, variable("KCOVFS_NAME")) : open(path, O_RDWR | O_CLOEXEC);
  if (fd == -1 || ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
    fail("kcov");
  cover = mmap(NULL, COVER_SIZE * sizeof *cover, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (cover == MAP_FAILED)
    fail("kcov");
  if (ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC | KCOV_FOLD) && ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
    fail("kcov");
}

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

static void open_findings(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", variable("KCOVFS_FINDINGS"));
  findings = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (findings == -1 || connect(findings, (struct sockaddr *)&address, sizeof address))
    fail("findings");
  int fd = open(variable("KCOVFS_EXECUTIONS"), O_RDWR | O_CLOEXEC);
  executions = mmap(NULL, sizeof *executions, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (executions == MAP_FAILED)
    fail("executions");
}

/* Tells what has come of an input. The answer says whether to go on; the end, that there is nobody. */
static int report(enum harness_answer kind, const uint8_t *data, size_t size) {
  uint32_t head[] = {kind, harness.size, (uint32_t)size};
  struct iovec parts[] = {
      {head, sizeof head}, {harness.text, harness.size}, {(void *)data, size}};
  char answer = 's';
  if (harness_send(findings, parts, 3) || harness_receive(findings, &answer, 1) != 1)
    return 0;
  return answer == 'c';
}

/* libFuzzer's own way to end would take this for a crash. */
static void end(int status) {
  guide_end(&guide);
  if (harness.pid)
    harness_end(&harness, 0);
  _exit(status);
}

static void start_harness(void) {
  enum harness_answer answer = harness_start(&harness);
  if (answer == HARNESS_LOADED)
    return;
  if (answer != HARNESS_FAILED)
    harness_set_text(&harness,
                     answer == HARNESS_HANG     ? "{\"message\":\"to load it takes too long\",\"stack\":[]}"
                     : answer == HARNESS_MEMORY ? "{\"message\":\"to load it takes too much memory\",\"stack\":[]}"
                                                : "{\"message\":\"it ends the process when it is loaded\",\"stack\":[]}");
  report(HARNESS_FAILED, NULL, 0);
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
  int words = 0;
  /* Without kcovfs there is nothing to be guided by. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (char *word = strtok(strdup(variable("KCOVFS_HARNESS")), SEPARATOR); word && words < 255;
       word = strtok(NULL, SEPARATOR))
    command[words++] = word;
  harness.timeout = atof(variable("KCOVFS_HARNESS_TIMEOUT"));
  harness.memory = atol(variable("KCOVFS_HARNESS_MEMORY"));
  open_findings();
  start_harness();
  make_counters();
  start_guide();
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
  __atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
  enum harness_answer answer = harness_run(&harness, data, (uint32_t)size);
  __atomic_fetch_add(executions, 1, __ATOMIC_RELAXED);
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
