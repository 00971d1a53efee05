/* stress MOUNT SEED LOOP...
 *
 * Closed loops at the same time, a thread each. A LOOP is LEARN:FILE:REQUESTS:SOCKET. Its thread resets a
 * word, asks the service at SOCKET for one of 64 paths, and reads which blocks ran, from MOUNT/FILE.
 *
 * First it learns from MOUNT/LEARN, of which nobody else may ask the target anything, what each path
 * executes, all of it. What a path reads twice must be the same. Then each read must be exactly that:
 * where REPEATED is set the same words in the same order, else the same PCs, each once. If FILE tells
 * of other targets too, their PCs are left out; these must be ones that another loop has learned.
 *
 * A read is stale if it has a block of the request before, foreign if it has one of neither, missing if
 * one is not there, disordered if the blocks are right and their order, or how often they are there, is
 * not. One that filled its area is not checked, and counted. Prints a line a loop and one of all. LEARNED
 * names files, with the loop's number behind, for the PCs that belong to one path alone, a line a path.
 *
 * SHARERS: after it has learned, each loop is so many, each with an instance and a connection of its own.
 * As they ask the same target, what others of them ask for is not taken for a mistake. */
#include "../../e2e/clients/kcov.h"
#include <pthread.h>

#define PATHS 64
/* Of an area for one target; and for all, which run on while the loop's thread has no processor. */
#define WORDS 8192
#define WORDS_OF_ALL (2 << 20)
#define TABLE 16384
#define LOOPS 64
/* Before anything is learned: what a path executes the first time only. */
#define WARM_UP 2

struct reading {
  unsigned words, distinct;
  uint64_t *trace, *set;
};

struct loop {
  char *learn, *file, *socket;
  long requests, seed;
  pthread_t thread;
  int service, number;
  struct reading learned[PATHS];
  uint64_t table[TABLE];
  long stale, missing, foreign, disordered, full;
  double us;
  /* Whose knowledge it uses. */
  struct loop *teacher;
};

static struct loop loops[LOOPS];
static int count, sharers = 1;
static const char *mount;
static pthread_barrier_t all_have_learned;

static unsigned slot_of(const struct loop *loop, uint64_t pc) {
  unsigned slot = (pc >> 3) * 2654435761u % TABLE;
  while (loop->table[slot] && loop->table[slot] != pc)
    slot = (slot + 1) % TABLE;
  return slot;
}

static int knows(const struct loop *loop, uint64_t pc) {
  return loop->table[slot_of(loop, pc)] == pc;
}

static int is_anyones(uint64_t pc) {
  for (int i = 0; i < count; i++)
    if (knows(&loops[i], pc))
      return 1;
  return 0;
}

static int has(const struct reading *reading, uint64_t pc) {
  return bsearch(&pc, reading->set, reading->distinct, sizeof pc, compare_words) != NULL;
}

static struct kcov start(const char *file, unsigned long words) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", mount, file);
  struct kcov kcov = kcov_open(path, words);
  kcov_enable(&kcov);
  return kcov;
}

static void stop(struct kcov *kcov) {
  kcov_disable(kcov);
  munmap(kcov->area, kcov->words * 8);
  close(kcov->fd);
}

/* Asks for a path; copies the words that were read. */
static unsigned ask(struct loop *loop, struct kcov *kcov, unsigned char path, uint64_t *into) {
  kcov_reset(kcov);
  errno = 0;
  if (service_request(loop->service, &path, 1) != path)
    die("%s took another path than %d", loop->socket, path);
  uint64_t n = kcov_count(kcov);
  if (n >= kcov->words)
    die("the count is %lu", n);
  memcpy(into, (const void *)(kcov->area + 1), n * sizeof *into);
  return n;
}

static unsigned next(long *random, unsigned below) {
  *random = *random * 6364136223846793005l + 1442695040888963407l;
  return (*random >> 33 & 0x3fffffff) % below;
}

static uint64_t *copy_of(const uint64_t *words, unsigned n) {
  uint64_t *copy = malloc((n + 1) * sizeof *copy);
  memcpy(copy, words, n * sizeof *copy);
  return copy;
}

static void learn_path(struct loop *loop, struct kcov *kcov, int path) {
  uint64_t words[WORDS], set[WORDS];
  struct reading *known = &loop->learned[path];
  unsigned n = ask(loop, kcov, path, words);
  memcpy(set, words, n * sizeof *set);
  unsigned distinct = sort_distinct(set, n);
  if (!known->trace)
    *known = (struct reading){n, distinct, copy_of(words, n), copy_of(set, distinct)};
  else if (n != known->words || distinct != known->distinct ||
           memcmp(set, known->set, distinct * sizeof *set) ||
           (is_repeated() && memcmp(words, known->trace, n * sizeof *words)))
    die("%s: path %d was %u words of %u blocks, and is %u of %u", loop->learn, path,
        known->words, known->distinct, n, distinct);
}

static void learn(struct loop *loop) {
  uint64_t words[WORDS];
  struct kcov kcov = start(loop->learn, WORDS);
  for (int round = 0; round < WARM_UP; round++)
    for (int path = 0; path < PATHS; path++)
      ask(loop, &kcov, path, words);
  for (int path = 0; path < PATHS; path++)
    learn_path(loop, &kcov, path);
  for (int i = 0; i < PATHS; i++)
    learn_path(loop, &kcov, next(&loop->seed, PATHS));
  stop(&kcov);
  for (int path = 0; path < PATHS; path++)
    for (unsigned i = 0; i < loop->learned[path].distinct; i++) {
      uint64_t pc = loop->learned[path].set[i];
      loop->table[slot_of(loop, pc)] = pc;
    }
}

static unsigned paths_with(const struct loop *loop, uint64_t pc) {
  unsigned paths = 0;
  for (int path = 0; path < PATHS; path++)
    paths += has(&loop->learned[path], pc);
  return paths;
}

static void print_learned(const struct loop *loop) {
  char name[4096];
  snprintf(name, sizeof name, "%s-%d", getenv("LEARNED"), loop->number);
  FILE *file = fopen(name, "w");
  if (!file)
    die("open %s", name);
  for (int path = 0; path < PATHS; path++) {
    const struct reading *known = &loop->learned[path];
    const char *between = "";
    for (unsigned i = 0; i < known->distinct; i++)
      if (paths_with(loop, known->set[i]) == 1)
        fprintf(file, "%s0x%lx", between, known->set[i]), between = " ";
    fputc('\n', file);
  }
  fclose(file);
}

/* Says what is wrong with a read, by the first few PCs of it. */
static void tell(struct loop *loop, long request, int path, int before, const struct reading *now) {
  const struct reading *known = &loop->teacher->learned[path];
  if (loop->stale + loop->foreign + loop->missing + loop->disordered >= 5)
    return;
  char text[1000];
  int at = snprintf(text, sizeof text, "%s request %ld, path %d after %d: %u of %u blocks; missing", loop->learn,
                    request, path, before, now->distinct, known->distinct);
  for (unsigned i = 0; i < known->distinct && at < 700; i++)
    if (!has(now, known->set[i]))
      at += snprintf(text + at, sizeof text - at, " 0x%lx", known->set[i]);
  at += snprintf(text + at, sizeof text - at, "; additional");
  for (unsigned i = 0; i < now->distinct && at < 900; i++)
    if (!has(known, now->set[i]))
      at += snprintf(text + at, sizeof text - at, " 0x%lx", now->set[i]);
  fprintf(stderr, "%s\n", text);
}

/* Whether the words are what the path executes; counts what is wrong. */
static void check(struct loop *loop, long request, int path, int before, uint64_t *words, unsigned n) {
  struct loop *teacher = loop->teacher;
  const struct reading *known = &teacher->learned[path];
  unsigned kept = 0, foreign = 0, stale = 0, missing = 0;
  int is_alone = !strcmp(loop->learn, loop->file);
  for (unsigned i = 0; i < n; i++)
    if (knows(teacher, words[i]))
      words[kept++] = words[i];
    else
      foreign += is_alone || !is_anyones(words[i]);
  if (!foreign && kept == known->words && is_repeated() &&
      !memcmp(words, known->trace, kept * sizeof *words))
    return;
  unsigned distinct = sort_distinct(words, kept);
  for (unsigned i = 0; i < distinct; i++)
    if (sharers == 1 && !has(known, words[i])) {
      if (before >= 0 && has(&teacher->learned[before], words[i]))
        stale++;
      else
        foreign++;
    }
  struct reading now = {.distinct = distinct, .set = words};
  for (unsigned i = 0; i < known->distinct; i++)
    missing += !has(&now, known->set[i]);
  int is_right = !stale && !foreign && !missing;
  int disordered = is_right && sharers == 1 && (is_repeated() || kept != distinct);
  if (!stale && !foreign && !missing && !disordered)
    return;
  tell(loop, request, path, before, &now);
  loop->stale += stale > 0, loop->missing += missing > 0;
  loop->foreign += foreign > 0, loop->disordered += disordered;
}

static void *run(void *argument) {
  struct loop *loop = argument;
  int is_alone = !strcmp(loop->learn, loop->file), before = -1;
  unsigned long size = is_alone ? WORDS : WORDS_OF_ALL;
  uint64_t *words = malloc(size * sizeof *words);
  loop->service = service_connect(loop->socket);
  if (loop->teacher == loop) {
    learn(loop);
    if (getenv("LEARNED"))
      print_learned(loop);
  }
  pthread_barrier_wait(&all_have_learned);
  struct kcov kcov = start(loop->file, size);
  double began = now_us();
  for (long request = 1; request <= loop->requests; request++) {
    int path = next(&loop->seed, PATHS);
    unsigned n = ask(loop, &kcov, path, words);
    if (n == size - 1)
      loop->full++;
    else
      check(loop, request, path, before, words, n);
    before = path;
  }
  loop->us = (now_us() - began) / loop->requests;
  stop(&kcov);
  return NULL;
}

int main(int argc, char **argv) {
  long requests = 0, wrong = 0, full = 0;
  if (argc < 4 || (argc - 3) * (getenv("SHARERS") ? atoi(getenv("SHARERS")) : 1) > LOOPS)
    die("usage: stress MOUNT SEED LEARN:FILE:REQUESTS:SOCKET...");
  mount = argv[1];
  sharers = getenv("SHARERS") ? atoi(getenv("SHARERS")) : 1;
  count = (argc - 3) * sharers;
  pthread_barrier_init(&all_have_learned, NULL, count);
  for (int i = 0; i < count; i++) {
    struct loop *loop = &loops[i];
    loop->number = i;
    loop->seed = atol(argv[2]) + 1000 * i;
    loop->teacher = &loops[i % (argc - 3)];
    if (loop->teacher != loop) {
      loop->learn = loop->teacher->learn, loop->file = loop->teacher->file;
      loop->socket = loop->teacher->socket, loop->requests = loop->teacher->requests;
      continue;
    }
    loop->learn = strtok(argv[3 + i], ":");
    loop->file = strtok(NULL, ":");
    loop->requests = atol(strtok(NULL, ":"));
    loop->socket = strtok(NULL, "");
  }
  for (int i = 0; i < count; i++)
    if (pthread_create(&loops[i].thread, NULL, run, &loops[i]))
      die("pthread_create");
  for (int i = 0; i < count; i++) {
    struct loop *loop = &loops[i];
    pthread_join(loop->thread, NULL);
    printf("%s by %s: requests %ld stale %ld missing %ld foreign %ld disordered %ld full %ld us_per_request %.1f\n",
           loop->learn, loop->file, loop->requests, loop->stale, loop->missing, loop->foreign,
           loop->disordered, loop->full, loop->us);
    requests += loop->requests, full += loop->full;
    wrong += loop->stale + loop->missing + loop->foreign + loop->disordered;
  }
  printf("requests %ld wrong %ld full %ld\n", requests, wrong, full);
  return wrong != 0;
}
