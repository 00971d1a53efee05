/* large_area KCOV SOCKET SCENARIO [INPUT...]
 *
 * Areas of all sizes, and what clients do to theirs: clear it, sort it, begin anywhere in it. What a
 * request executes is learned in an area of ordinary size first, so the service must do the same each
 * time. Prints one line of figures; dies when a read is not what was learned. */
#include "kcov.h"

#define ORDINARY (64ul << 10)
#define LARGEST (64ul << 20)
#define PER_PAGE 512
#define INPUTS 8
#define LONGEST 65000

static struct input {
  uint32_t length;
  char bytes[LONGEST];
  uint64_t count;
  uint64_t pcs[ORDINARY]; /* sorted */
} inputs[INPUTS];
static int given, service;
static const char *path;

static void check(int is_so, const char *what, uint64_t a, uint64_t b) {
  if (is_so)
    return;
  errno = 0;
  die("%s: %lu, %lu", what, a, b);
}

static void ask(struct kcov *kcov, const struct input *input, uint64_t from) {
  __atomic_store_n(&kcov->area[0], from, __ATOMIC_RELAXED);
  service_request(service, input->bytes, input->length);
}

static void close_area(struct kcov *kcov) {
  kcov_disable(kcov);
  munmap(kcov->area, kcov->words * 8);
  close(kcov->fd);
}

/* The PCs from a place on are the input's, or as many of them as there is room for. */
static void check_pcs(const struct kcov *kcov, const struct input *input, uint64_t from) {
  static uint64_t pcs[ORDINARY];
  uint64_t room = kcov->words - 1 - from, n = input->count < room ? input->count : room;
  uint64_t count = kcov_count((struct kcov *)kcov);
  check(count == from + n, "the count, and what it should be", count, from + n);
  memcpy(pcs, kcov->area + 1 + from, n * 8);
  qsort(pcs, n, 8, compare_words);
  for (uint64_t i = 0; i < n; i++) {
    check(i == 0 || pcs[i] != pcs[i - 1], "a PC is there twice", i, pcs[i]);
    check(!!bsearch(&pcs[i], input->pcs, input->count, 8, compare_words), "not its PC", i, pcs[i]);
  }
}

/* The blocks that each input executes each time, the first few times left out. */
static void learn(void) {
  struct kcov kcov = kcov_open(path, ORDINARY);
  kcov_enable(&kcov);
  for (int round = 0; round < 4; round++)
    for (int i = 0; i < given; i++) {
      struct input *input = &inputs[i];
      ask(&kcov, input, 0);
      input->count = kcov_count(&kcov);
      memcpy(input->pcs, kcov.area + 1, input->count * 8);
      qsort(input->pcs, input->count, 8, compare_words);
    }
  close_area(&kcov);
}

/* The largest area, all of it cleared and, so that the device gets to see that, synchronised. */
static void cleared(void) {
  struct kcov kcov = kcov_open(path, LARGEST);
  double began = now_us();
  memset(kcov.area, 0, LARGEST * 8);
  double memset_ms = (now_us() - began) / 1000;
  kcov_enable(&kcov);
  for (int i = 0; i < given; i++) {
    ask(&kcov, &inputs[i], 0);
    check_pcs(&kcov, &inputs[i], 0);
  }
  began = now_us();
  if (msync(kcov.area, LARGEST * 8, MS_SYNC))
    die("msync");
  double sync_ms = (now_us() - began) / 1000;
  memset(kcov.area, 0, LARGEST * 8);
  for (int i = 0; i < given; i++) {
    ask(&kcov, &inputs[i], 0);
    check_pcs(&kcov, &inputs[i], 0);
    check(kcov.area[LARGEST - 1] == 0 && kcov.area[LARGEST / 2] == 0, "not cleared", 0, 0);
  }
  began = now_us();
  close_area(&kcov);
  printf("memset_ms %.0f sync_ms %.0f close_ms %.0f\n", memset_ms, sync_ms, (now_us() - began) / 1000);
}

/* Areas around the size of a page, and smaller and larger than what is executed. */
static void sizes(void) {
  unsigned long some[] = {2, 3, 16, 511, 512, 513, 1023, 1024, 1025, ORDINARY};
  unsigned reads = 0, full = 0;
  for (unsigned size = 0; size < sizeof some / sizeof *some; size++) {
    struct kcov kcov = kcov_open(path, some[size]);
    kcov_enable(&kcov);
    for (int round = 0; round < 3; round++)
      for (int i = 0; i < given; i++) {
        ask(&kcov, &inputs[i], 0);
        check_pcs(&kcov, &inputs[i], 0);
        reads++, full += inputs[i].count > some[size] - 1;
      }
    close_area(&kcov);
  }
  printf("reads %u full %u\n", reads, full);
}

/* The count may be set to any word, so that PCs come to lie across the border of pages, and the end. */
static void anywhere(void) {
  unsigned reads = 0;
  struct kcov kcov = kcov_open(path, 3 * PER_PAGE - 7);
  kcov_enable(&kcov);
  for (uint64_t from = PER_PAGE - 20; from < kcov.words - 1; from += from % 97 ? 1 : 41) {
    struct input *input = &inputs[from % given];
    kcov.area[from] = from;
    ask(&kcov, input, from);
    check_pcs(&kcov, input, from);
    check(kcov.area[from] == from, "the word before the PCs has changed", from, kcov.area[from]);
    reads++;
  }
  close_area(&kcov);
  printf("reads %u\n", reads);
}

static void scribble(struct kcov *kcov, uint64_t n, int how) {
  if (how == 1)
    qsort(kcov->area + 1, n, 8, compare_words);
  if (how == 2)
    memset(kcov->area + 1, 0, n * 8);
  if (how == 3)
    memset(kcov->area, 0xff, kcov->words * 8);
  if (how == 4 && msync(kcov->area, kcov->words * 8, MS_SYNC))
    die("msync");
}

/* PCs on many pages, which the client sorts, clears or overwrites where they are before it resets. */
static void sorted(void) {
  unsigned reads = 0, random = 42;
  uint64_t most = 0;
  struct kcov kcov = kcov_open(path, ORDINARY);
  kcov_enable(&kcov);
  for (int round = 0; round < 300; round++) {
    random = random * 1103515245u + 12345u;
    struct input *input = &inputs[(random >> 16) % given];
    int how = (random >> 24) % 5;
    ask(&kcov, input, 0);
    check_pcs(&kcov, input, 0);
    scribble(&kcov, input->count, how);
    reads++, most = input->count > most ? input->count : most;
    if (how == 3)
      continue;
    /* The read again collects anew; it must not touch what the client made of the PCs. */
    check(kcov_count(&kcov) == input->count, "the count changed", kcov_count(&kcov), input->count);
    if (how == 1)
      check(!memcmp(kcov.area + 1, input->pcs, input->count * 8), "not as sorted", round, 0);
    if (how == 2)
      for (uint64_t i = 1; i <= input->count; i++)
        check(kcov.area[i] == 0, "not as cleared", i, kcov.area[i]);
  }
  close_area(&kcov);
  printf("reads %u most %lu\n", reads, most);
}

int main(int argc, char **argv) {
  struct { const char *name; void (*run)(void); } scenarios[] = {
      {"cleared", cleared}, {"sizes", sizes}, {"anywhere", anywhere}, {"sorted", sorted}};
  if (argc < 5)
    die("usage: large_area KCOV SOCKET SCENARIO INPUT...");
  path = argv[1], service = service_connect(argv[2]);
  for (; given < INPUTS && given + 4 < argc; given++) {
    FILE *file = fopen(argv[given + 4], "r");
    if (!file)
      die("open %s", argv[given + 4]);
    inputs[given].length = fread(inputs[given].bytes, 1, LONGEST, file);
    fclose(file);
  }
  learn();
  for (unsigned i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
    if (!strcmp(scenarios[i].name, argv[3]))
      return scenarios[i].run(), 0;
  die("there is no scenario %s", argv[3]);
}
