/* folded KCOV SOCKET REQUESTS ROUNDS
 * folded KCOV SOCKET counted
 *
 * The second is for where each block is told once: the mode is taken, and all words are PCs, none twice.
 * Prints `blocks 12`. The first:
 *
 * Has the service go round a loop so often, with a key that opens a branch behind it and with one that does not,
 * and counts edges: in an area with room for all PCs, in a small one that is full before the branch, and in one
 * as small that folds. The last must give the counters of the first, each time, and so it must after requests
 * during which the area is reset again and again; and those must show no edge that is not the service's.
 * Prints `requests 20 edges 31 words free`. */
#include "kcov.h"
#include "edges.h"
#include <pthread.h>

#define LARGE (4 << 20)
#define SMALL (64 << 10)
#define COUNTERS 65536
#define MOST_PAUSE 1000

static const uint32_t keys[] = {1, 0x6b636f76};
static uint8_t counters[COUNTERS], expected[2][COUNTERS];
static struct edges edges;
static int service, is_over;
static uint32_t rounds;

static size_t ask(struct kcov *kcov, int key) {
  uint32_t input[] = {rounds, keys[key]};
  memset(counters, 0, sizeof counters);
  kcov_reset(kcov);
  service_request(service, input, sizeof input);
  return edges_count(&edges, kcov->area);
}

static void give_back(struct kcov *kcov) {
  kcov_disable(kcov);
  munmap(kcov->area, kcov->words * 8);
  close(kcov->fd);
}

static void fail(const char *what, uint64_t number) {
  errno = 0;
  die("%s: %lu", what, number);
}

/* All edges that the service can take; any PC may be the first after a reset. */
static void learn(const char *path) {
  struct kcov kcov = kcov_open(path, LARGE);
  kcov_enable(&kcov);
  for (int key = 0; key < 2; key++) {
    size_t known = ask(&kcov, key);
    memcpy(expected[key], counters, sizeof counters);
    if (kcov_count(&kcov) < 2 * rounds || kcov_count(&kcov) == LARGE - 1)
      fail("the large area is not right for this loop", kcov_count(&kcov));
    if (key == 1 && known > COUNTERS)
      fail("too many edges", known);
    for (uint64_t i = 1; i <= kcov.area[0]; i++)
      edges_number(&edges, kcov.area[i] >> 3 & EDGES_BLOCK);
  }
  if (!memcmp(expected[0], expected[1], COUNTERS))
    fail("the branch is no edge", 0);
  give_back(&kcov);
}

static void check_small(const char *path) {
  struct kcov kcov = kcov_open(path, SMALL);
  kcov_enable(&kcov);
  for (int key = 0; key < 2; key++) {
    ask(&kcov, key);
    if (kcov_count(&kcov) != SMALL - 1)
      fail("the small area is not full", kcov_count(&kcov));
    if (key == 1 && !memcmp(counters, expected[1], COUNTERS))
      fail("the small area has everything", 0);
  }
  give_back(&kcov);
}

static void enable_folded(struct kcov *kcov) {
  const unsigned long wrong[] = {KCOV_TRACE_CMP | KCOV_FOLD, 2 | KCOV_FOLD, KCOV_FOLD >> 1, 2};
  for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
    if (!ioctl(kcov->fd, KCOV_ENABLE, wrong[i]) || errno != EINVAL)
      die("mode 0x%lx is not EINVAL", wrong[i]);
  if (ioctl(kcov->fd, KCOV_ENABLE, KCOV_TRACE_PC | KCOV_FOLD))
    die("KCOV_ENABLE");
}

static void check(struct kcov *kcov, int key, size_t known) {
  size_t found = ask(kcov, key);
  if (found != known)
    fail("edges that the service does not take", found - known);
  if (memcmp(counters, expected[key], COUNTERS))
    fail("other counts than in the large area, with key", key);
}

/* Resets the area, whatever the service does meanwhile. */
static void *disturb(void *argument) {
  struct kcov *kcov = argument;
  unsigned seed = rounds;
  while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
    usleep(rand_r(&seed) % MOST_PAUSE);
    kcov_reset(kcov);
  }
  return NULL;
}

static void check_disturbed(struct kcov *kcov, int key, size_t known) {
  uint32_t input[] = {rounds, keys[key]};
  pthread_t thread;
  is_over = 0;
  pthread_create(&thread, NULL, disturb, kcov);
  service_request(service, input, sizeof input);
  __atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
  pthread_join(thread, NULL);
  if (edges_count(&edges, kcov->area) != known)
    fail("edges that the service does not take, after resets", edges.known - known);
}

static int check_counted(const char *path) {
  struct kcov kcov = kcov_open(path, SMALL);
  rounds = 1000;
  enable_folded(&kcov);
  ask(&kcov, 1);
  uint64_t count = kcov_count(&kcov);
  for (uint64_t i = 1; i <= count; i++)
    if (kcov.area[i] >> 32 != 0xffffffff)
      fail("this is no PC", kcov.area[i]);
  if (sort_distinct(kcov.area + 1, count) != count)
    fail("PCs come twice among", count);
  printf("blocks %lu\n", count);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 4)
    return 2;
  unsigned requests = atoi(argv[3]);
  rounds = argc > 4 ? atoi(argv[4]) : 0;
  service = service_connect(argv[2]);
  if (edges_init(&edges, counters, COUNTERS))
    die("memory");
  if (argc == 4)
    return check_counted(argv[1]);
  learn(argv[1]);
  size_t known = edges.known;
  check_small(argv[1]);
  struct kcov kcov = kcov_open(argv[1], SMALL);
  enable_folded(&kcov);
  for (unsigned i = 0; i < requests; i++) {
    check(&kcov, i & 1, known);
    if (i % 4 == 0)
      check_disturbed(&kcov, 1, known);
  }
  check(&kcov, 1, known);
  size_t taken = 0;
  for (int i = 0; i < COUNTERS; i++)
    taken += counters[i] != 0;
  printf("requests %u edges %zu words %s\n", requests, taken,
         kcov_count(&kcov) < SMALL - 1 ? "free" : "none");
  return 0;
}
