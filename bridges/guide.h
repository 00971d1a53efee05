/* Guidance by what a program compares, for a bridge with a harness: see hints.h. It has a second harness, a
 * target of its own whose comparisons are measured, so that the first keeps its speed. That one reports
 * nothing, and a fuzzer goes on without it. It also has words: those of the program's scripts.
 *
 *   guide_init(&guide, seed);
 *   guide_add_words(&guide, file);                          // for guidance by words
 *   guide_start(&guide, &harness);                          // for guidance by comparisons, when that is loaded
 *   ...
 *   size = guide_mutate(&guide, data, size, max, random);   // 0: mutate it in another way
 *   ...
 *   further = guide_compare(&guide, data, size, has_found); // when it has run; keep what comes further
 */
#ifndef KCOVFS_GUIDE_H
#define KCOVFS_GUIDE_H
#include "harness.h"
#include "hints.h"
#include <pthread.h>
#include <semaphore.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define GUIDE_INIT_TRACE _IOR('c', 1, unsigned long)
#define GUIDE_ENABLE _IO('c', 100)
#define GUIDE_TRACE_CMP 1
/* Words of the area, 4 a comparison. */
#define GUIDE_WORDS (256 << 10)
/* Seconds of processor time that an input may take here; a hang is for the first harness to find. */
#define GUIDE_TIMEOUT 1
/* Harnesses that may end or hang in a row before there are no more comparisons. */
#define GUIDE_ATTEMPTS 20
#define GUIDE_NAME "fuzz-comparisons"

/* Inputs that have come further of late, their bytes at most, and how many comparisons of what is made of each
 * are read before that of others. */
#define GUIDE_FRESH 8
#define GUIDE_FRESH_BYTES 1024
#define GUIDE_FRESH_TIMES 80

struct guide_fresh {
  size_t size;
  unsigned left;
  uint8_t bytes[GUIDE_FRESH_BYTES];
};

struct guide {
  struct hints hints;
  struct guide_fresh fresh[GUIDE_FRESH];
  struct harness harness;
  uint64_t *area;
  int is_comparing;
  /* Whether the input that was made last is of the hints', and of which. */
  int is_hinted;
  struct guide_fresh *from;
  int failures;
  sem_t is_enabled;
};

/* The file of a target of that name; `path` is that of all targets. */
static inline int guide_open(const char *path, const char *name) {
  char file[4096];
  snprintf(file, sizeof file, "%s.d/%s", path, name);
  return open(file, O_RDWR | O_CLOEXEC);
}

static inline uint64_t guide_now(void) { return (uint64_t)(harness_now(CLOCK_MONOTONIC) * 1e6); }

/* A thread has one instance enabled; that of the comparisons is another thread's. */
static inline void *guide_enable(void *argument) {
  struct guide *guide = (struct guide *)argument;
  const char *path = getenv("KCOV");
  int fd = guide_open(path ? path : "/sys/kernel/debug/kcov", GUIDE_NAME);
  if (fd != -1 && !ioctl(fd, GUIDE_INIT_TRACE, GUIDE_WORDS)) {
    void *area = mmap(NULL, GUIDE_WORDS * sizeof *guide->area, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (area != MAP_FAILED && !ioctl(fd, GUIDE_ENABLE, GUIDE_TRACE_CMP))
      guide->area = (uint64_t *)area;
  }
  sem_post(&guide->is_enabled);
  while (guide->area)
    pause();
  return NULL;
}

/* Reads words: each has its length before it, a byte. */
static inline void guide_add_words(struct guide *guide, const char *file) {
  uint8_t word[256];
  FILE *words = fopen(file, "re");
  for (int length; words && (length = getc(words)) != EOF;)
    if (fread(word, 1, (size_t)length, words) == (size_t)length)
      hints_add_word(&guide->hints, word, (size_t)length);
  if (words)
    fclose(words);
}

static inline void guide_stop(struct guide *guide, const char *why) {
  guide->is_comparing = 0;
  if (guide->harness.pid)
    harness_end(&guide->harness, 0);
  fprintf(stderr, "kcovfs: not guided by comparisons: %s\n", why);
}

static inline void guide_init(struct guide *guide, uint32_t seed) {
  hints_init(&guide->hints, seed);
}

/* Starts the second harness, with the command of the first. */
static inline void guide_start(struct guide *guide, const struct harness *first) {
  pthread_t thread;
  struct harness second = {.command = first->command,
                           .name = GUIDE_NAME,
                           .is_quiet = 1,
                           .timeout = first->timeout > 0 && first->timeout < GUIDE_TIMEOUT ? first->timeout : GUIDE_TIMEOUT,
                           .memory = first->memory};
  guide->harness = second;
  guide->is_comparing = 1;
  if (harness_start(&guide->harness) != HARNESS_LOADED)
    return guide_stop(guide, "a second process does not start");
  sem_init(&guide->is_enabled, 0, 0);
  if (pthread_create(&thread, NULL, guide_enable, guide))
    return guide_stop(guide, "there is no thread for it");
  while (sem_wait(&guide->is_enabled))
    ;
  if (!guide->area)
    guide_stop(guide, "kcov does not measure them here");
}

static inline void guide_remember(struct guide *guide, const uint8_t *data, size_t size, unsigned times) {
  struct guide_fresh *place = guide->fresh;
  if (size > GUIDE_FRESH_BYTES)
    return;
  for (struct guide_fresh *fresh = place; fresh < guide->fresh + GUIDE_FRESH; fresh++)
    if (fresh->left < place->left)
      place = fresh;
  place->size = size;
  place->left = times;
  memcpy(place->bytes, data, size);
}

/* How far an input has come, in comparisons: not 0 if further than all before. */
static inline unsigned guide_compare(struct guide *guide, const uint8_t *data, size_t size, int has_found) {
  unsigned further = 0;
  if (!guide->is_comparing || (!has_found && !guide->is_hinted))
    return 0;
  uint64_t start = guide_now();
  if (!hints_worthwhile(&guide->hints, data, size, has_found, start))
    return 0;
  if (guide->harness.pid || harness_start(&guide->harness) == HARNESS_LOADED) {
    __atomic_store_n(&guide->area[0], 0, __ATOMIC_RELAXED);
    enum harness_answer answer = harness_run(&guide->harness, data, (uint32_t)size);
    /* One that takes too long has compared, too. */
    if (guide->area[0] > (GUIDE_WORDS - 1) / 4)
      guide->area[0] = (GUIDE_WORDS - 1) / 4;
    further = hints_add(&guide->hints, guide->area);
    guide->failures = answer == HARNESS_OK || answer == HARNESS_FINDING ? 0 : guide->failures + 1;
    if (further || has_found)
      guide_remember(guide, data, size, further ? GUIDE_FRESH_TIMES : GUIDE_FRESH_TIMES / 8);
  } else
    guide->failures++;
  hints_spent(&guide->hints, start, guide_now());
  if (guide->from && guide->from->left > 0)
    guide->from->left--;
  if (guide->failures == GUIDE_ATTEMPTS)
    guide_stop(guide, "the second process ends each time");
  return further;
}

/* Changes an input by what was compared, or by a word. Returns its size, or 0 where nothing was changed: each
 * second time, and of words alone each eighth. What has come further of late takes the input's place half of
 * these times: what it compares next is known, and each step needs the one before. */
static inline size_t guide_mutate(struct guide *guide, uint8_t *data, size_t size, size_t max, uint32_t random) {
  size_t result = 0;
  guide->from = NULL;
  if (random % (guide->is_comparing ? 2 : 8) == 0) {
    struct guide_fresh *fresh = &guide->fresh[random >> 4 & (GUIDE_FRESH - 1)];
    if (random & 8 && fresh->left > 0 && fresh->size && fresh->size <= max) {
      guide->from = fresh;
      size = result = fresh->size;
      memcpy(data, fresh->bytes, size);
      /* Code that reads beyond the end compares nothing. */
      if ((random >> 7 & 7) == 0 && size < max) {
        data[size++] = (uint8_t)(random >> 10);
        guide->is_hinted = 1;
        return size;
      }
    }
    size_t mutated = hints_mutate(&guide->hints, data, size, max, random >> 7);
    result = mutated ? mutated : result;
  }
  guide->is_hinted = result > 0;
  return result;
}

static inline void guide_end(struct guide *guide) {
  if (guide->harness.pid)
    harness_end(&guide->harness, 0);
}
#endif
