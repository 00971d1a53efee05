/* exactness KCOV SOCKET|http:FOLDER REQUESTS [shared|beside]
 *
 * The closed loop: reset a word, ask the service for one of 64 paths, read which blocks it ran. First
 * each path is asked for alone, to learn the PCs that are its own; then every single read is checked:
 * all PCs of the path that was asked for must be there and (unless other clients share the service)
 * none that belongs to another. Each PC may be there once only, unless REPEATED is set. Prints the learned PCs, a line a path,
 * if LEARNED names a file.
 *
 * shared: other clients ask the same service. beside: other services run, whose PCs come and go.
 *
 * With http:FOLDER the service is a web page that is served from the folder. It is sent elsewhere and
 * back after each so many requests as NAVIGATE says. */
#include "kcov.h"
#include "page.h"

#define PATHS 64
#define WORDS (64 << 10)
#define TABLE (1 << 20)

static uint64_t learned[PATHS][WORDS];
static unsigned counts[PATHS];
/* An open hash table from a PC to 1 + its path; SHARED for one that several paths run. */
static struct { uint64_t pc; int owner; unsigned seen; } table[TABLE];
#define SHARED 1000

static unsigned slot_of(uint64_t pc) {
  unsigned slot = (pc >> 3) * 2654435761u & (TABLE - 1);
  while (table[slot].pc && table[slot].pc != pc)
    slot = (slot + 1) & (TABLE - 1);
  table[slot].pc = pc;
  return slot;
}

/* service: -1 for the page. */
static uint32_t ask(int service, unsigned char path) {
  char text[8];
  if (service >= 0)
    return service_request(service, &path, 1);
  snprintf(text, sizeof text, "%d", path);
  return atoi(page_request(text));
}

/* The page is reloaded, or sent to another site and back, in turn. */
static void navigate(void) {
  static int turn;
  int elsewhere = turn++ % 2;
  for (int i = 0; i <= elsewhere; i++)
    if (*page_request(elsewhere ? "elsewhere" : "reload"))
      die("the page has not begun anew");
}

static unsigned take(struct kcov *kcov, int service, int path, uint64_t *into) {
  kcov_reset(kcov);
  if (ask(service, path) != (uint32_t)path)
    die("the service took another path than %d", path);
  uint64_t n = kcov_count(kcov);
  if (n >= kcov->words)
    die("the count is %lu", n);
  memcpy(into, (const void *)(kcov->area + 1), n * sizeof *into);
  return is_repeated() ? sort_distinct(into, n) : n;
}

/* All paths in a random order, so that clients that learn at the same time are never in step. */
static void shuffle(int *paths, unsigned *random) {
  for (int i = 0; i < PATHS; i++)
    paths[i] = i;
  for (int i = PATHS - 1; i > 0; i--) {
    *random = *random * 1103515245u + 12345u;
    int other = (*random >> 16) % (i + 1), path = paths[i];
    paths[i] = paths[other], paths[other] = path;
  }
}

/* Marks what one path has seen and another has too: it is neither's own. */
static void see(int path, const uint64_t *pcs, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    unsigned slot = slot_of(pcs[i]);
    if (table[slot].owner != 1 + path)
      table[slot].owner = table[slot].owner ? SHARED : 1 + path;
  }
}

static void learn(struct kcov *kcov, int service, int shared, int beside) {
  static uint64_t pcs[WORDS];
  unsigned random = getpid();
  int paths[PATHS];
  /* Code that runs only now and then (a first time, a timer, another client) is no path's own. */
  for (int round = 0; round < (shared ? 12 : 4); round++) {
    shuffle(paths, &random);
    for (int at = 0; at < PATHS; at++) {
      int path = paths[at];
      unsigned n = take(kcov, service, path, pcs), kept = 0;
      qsort(pcs, n, sizeof *pcs, compare_words);
      if (beside)
        see(path, pcs, n);
      if (round == 0)
        memcpy(learned[path], pcs, n * sizeof *pcs), kept = n;
      else
        for (unsigned i = 0; i < counts[path]; i++)
          if (bsearch(&learned[path][i], pcs, n, sizeof *pcs, compare_words))
            learned[path][kept++] = learned[path][i];
      counts[path] = kept;
    }
  }
  for (int path = 0; path < PATHS && !beside; path++)
    see(path, learned[path], counts[path]);
  for (int path = 0; path < PATHS; path++) {
    unsigned kept = 0;
    for (unsigned i = 0; i < counts[path]; i++)
      if (table[slot_of(learned[path][i])].owner == 1 + path)
        learned[path][kept++] = learned[path][i];
    counts[path] = kept;
    if (kept == 0)
      die("path %d has no PC of its own", path);
  }
}

static void print_learned(void) {
  const char *name = getenv("LEARNED");
  FILE *file = name ? fopen(name, "w") : NULL;
  if (!file)
    return;
  for (int path = 0; path < PATHS; path++) {
    for (unsigned i = 0; i < counts[path]; i++)
      fprintf(file, "%s0x%lx", i ? " " : "", learned[path][i]);
    fputc('\n', file);
  }
  fclose(file);
}

int main(int argc, char **argv) {
  static uint64_t pcs[WORDS];
  if (argc < 4)
    die("usage: exactness KCOV SOCKET|http:FOLDER REQUESTS [shared|beside]");
  int requests = atoi(argv[3]), shared = argc > 4, beside = shared && argv[4][0] == 'b', wrong = 0, service = -1;
  int every = getenv("NAVIGATE") ? atoi(getenv("NAVIGATE")) : 0;
  if (strncmp(argv[2], "http:", 5))
    service = service_connect(argv[2]);
  else
    page_open(argv[2] + 5), page_wait();
  struct kcov kcov = kcov_open(argv[1], WORDS);
  kcov_enable(&kcov);
  learn(&kcov, service, shared, beside);
  print_learned();
  unsigned random = getpid();
  double began = now_us();
  for (int request = 1; request <= requests; request++) {
    random = random * 1103515245u + 12345u;
    int path = random >> 16 & (PATHS - 1);
    if (every && request % every == 0)
      navigate();
    unsigned n = take(&kcov, service, path, pcs), own = 0, others = 0, twice = 0;
    for (unsigned i = 0; i < n; i++) {
      unsigned slot = slot_of(pcs[i]);
      twice += table[slot].seen == (unsigned)request;
      table[slot].seen = request;
      own += table[slot].owner == 1 + path;
      others += table[slot].owner && table[slot].owner != SHARED && table[slot].owner != 1 + path;
    }
    if (own != counts[path] || twice || (others && !shared)) {
      if (wrong++ < 10)
        fprintf(stderr, "request %d, path %d: %u of %u own, %u of others, %u twice, %u in all\n",
                request, path, own, counts[path], others, twice, n);
    }
  }
  double us = (now_us() - began) / requests;
  kcov_disable(&kcov);
  printf("requests %d wrong %d us_per_request %.1f\n", requests, wrong, us);
  return wrong != 0;
}
