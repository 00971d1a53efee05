/* Hints: what a program compares, put into inputs, as syzkaller's hints do.
 *
 * A store of comparisons, read from areas of KCOV_TRACE_CMP, and a mutation by them. It knows neither
 * libFuzzer nor AFL++ nor kcovfs. A fuzzer calls it like this:
 *
 *     static struct hints hints;                  // 2 MB, no memory besides
 *     hints_init(&hints, seed);
 *     ...
 *     // Of an input that has just found something, or that hints_mutate has made:
 *     if (hints_worthwhile(&hints, data, size, has_found, now_us())) {
 *       uint64_t start = now_us();
 *       area[0] = 0;                              // of an instance that traces comparisons
 *       run(data, size);
 *       if (hints_add(&hints, area))
 *         keep(data, size);                       // it has come further, if in no new block
 *       hints_spent(&hints, start, now_us());
 *     }
 *     ...
 *     // As a mutation of it, or of another input, some of the times:
 *     size_t mutated = hints_mutate(&hints, data, size, max, random);
 *     if (mutated == 0)
 *       mutated = any_other_mutation(data, size, max, random);
 *
 * As libFuzzer's custom mutator: call hints_mutate where `random % 2`, else LLVMFuzzerMutate. It keeps what
 * raises an extra counter: one for each time that hints_add returns something does. An input
 * whose own comparisons are known is mutated best.
 *
 * All is deterministic: the same calls with the same arguments do the same. A store is one thread's.
 * It costs 2 to 10 microseconds a mutation. */
#ifndef HINTS_H
#define HINTS_H
#include <stddef.h>
#include <stdint.h>

/* Bytes of an operand, and of a word that operands are joined to, at most. */
#define HINT_BYTES 32
/* Places that compare, by their PCs: sets of so many; in a full set the one seen longest ago goes. */
#define HINT_SETS 128
#define HINT_WAYS 8
#define HINT_SITES (HINT_SETS * HINT_WAYS)
/* Pairs of operands that a place has, at most. */
#define HINT_PAIRS 16
#define HINT_WORDS 512
/* Inputs that are remembered to have been asked about, and those whose places are. */
#define HINT_INPUTS 4096
#define HINT_FOCUSES 512
#define HINT_FOCUSED 60
/* Bits for what comparisons have told. */
#define HINT_BITS (1 << 18)

struct hint_text {
  uint8_t length;
  uint8_t bytes[HINT_BYTES];
};

/* Bytes in the input, and the bytes to put in their place. */
struct hint_pair {
  struct hint_text from, to;
  /* 1, 2, 4 or 8: the last bytes of both are an operand, as recorded, what is before is what the program
   * had compared, and found, before it. 0: both are texts. */
  uint8_t size;
  /* Whether only `from` may be the input's. */
  uint8_t is_const;
  uint16_t tries;
  /* The number of the area that it was last in. */
  uint32_t round;
};

/* Comparisons of single bytes at one place, in one area. */
struct hint_run {
  uint8_t length, is_const;
  uint8_t from[HINT_BYTES], to[HINT_BYTES];
};

struct hint_site {
  uint64_t pc;
  uint32_t round, tries;
  /* Pairs that were new in this round, of which there is room for HINT_PAIRS. */
  uint32_t fresh;
  /* The last comparisons, to tell a loop's counter. */
  uint64_t last[4][2];
  uint32_t streak;
  uint8_t count;
  struct hint_run run;
  struct hint_pair pairs[HINT_PAIRS];
};

/* The places that compared while an input was run, as many as there is room for. */
struct hint_focus {
  uint32_t hash, round;
  uint16_t count;
  uint16_t sites[HINT_FOCUSED];
};

struct hint_word {
  struct hint_text text;
  uint64_t pc;
  uint32_t round, tries;
};

struct hints {
  uint64_t random;
  /* Areas that were read. */
  uint32_t round;
  /* Rounds without anything new, one after the other. */
  uint32_t idle;
  uint32_t used_count, recent_count, word_count;
  /* The first words, which hints_add_word has added: they stay. */
  uint32_t given_count;
  /* The places there are, and those of the newest area. */
  uint16_t used[HINT_SITES], recent[HINT_SITES];
  struct hint_focus focuses[HINT_FOCUSES];
  /* Of the input that is mutated: its places, if they are known, and the area to prefer. */
  const struct hint_focus *focus;
  uint32_t focused;
  struct hint_site sites[HINT_SITES];
  struct hint_word words[HINT_WORDS];
  uint64_t told[HINT_BITS / 64];
  /* The budget. */
  uint32_t share;
  uint64_t started, spent, runs;
  uint32_t inputs[HINT_INPUTS];
  /* The input that was asked about last, and whether it had found something. */
  uint32_t asked, has_found;
};

void hints_init(struct hints *, uint32_t seed);

/* Keeps the comparisons of an area: area[0] records follow, of 4 words each (type, two operands, PC). They are
 * of the input that hints_worthwhile was last asked about; if that has found nothing, and they tell nothing
 * new either, they are not kept. Returns how many of them tell that a program has come further than ever: a place that compares for the first time,
 * or finds something equal, or more of it in a row, or compares with another constant, or another part of a text. */
unsigned hints_add(struct hints *, const uint64_t *area);

/* Changes an input of `size` bytes, in place, into one of at most `max`. Returns its new size; 0 where there
 * is nothing to put in: then nothing was changed. */
size_t hints_mutate(struct hints *, uint8_t *data, size_t size, size_t max, uint32_t random);

/* A word more, as of a dictionary; those that comparisons are joined to come by themselves. Half of HINT_WORDS,
 * added before the first area, stay, and are put in as often as all others. */
void hints_add_word(struct hints *, const uint8_t *bytes, size_t length);

/* The words so far, for a fuzzer with a dictionary of its own: those of [0, hints_words), in no order, and
 * a place may get another word later. Returns the length. */
size_t hints_words(const struct hints *);
size_t hints_word(const struct hints *, size_t index, const uint8_t **bytes);

/* Whether it is worthwhile to run this input for its comparisons, which takes a program 14 to 230 times as
 * long. It is where the input was not asked about before, and the time that was spent for comparisons, with
 * this one, stays below a share of all the time: a quarter unless set otherwise, and half of that for what
 * has found nothing. While comparisons bring nothing new, the share shrinks. `now` is of any clock that only
 * goes forward, in microseconds. Time counts from the first call. */
int hints_worthwhile(struct hints *, const uint8_t *data, size_t size, int has_found, uint64_t now);

/* To be told after such a run: when it began and ended. */
void hints_spent(struct hints *, uint64_t start, uint64_t end);

/* The share of the time, in percent. */
void hints_set_share(struct hints *, unsigned percent);
#endif
