/* The comparisons that are kept, by the places that make them: for hints.c alone. */
#ifndef HINT_STORE_H
#define HINT_STORE_H
#include "hint_forms.h"

static uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

static uint32_t next_random(struct hints *hints) {
  return mix(hints->random += 0x9e3779b97f4a7c15) >> 32;
}

/* Below `limit`, which is not 0. */
static uint32_t below(struct hints *hints, size_t limit) {
  return (uint64_t)next_random(hints) * limit >> 32;
}

/* The one of a set that is to go: the one seen longest ago, of those the one tried most. */
static struct hint_site *find_site(struct hints *hints, uint64_t pc) {
  struct hint_site *set = &hints->sites[mix(pc) % HINT_SETS * HINT_WAYS], *worst = set;
  for (struct hint_site *site = set; site < set + HINT_WAYS; site++) {
    if (site->count && site->pc == pc)
      return site;
    if (!site->count) {
      if (worst->count)
        worst = site;
    } else if (worst->count && (site->round < worst->round ||
               (site->round == worst->round && site->tries > worst->tries)))
      worst = site;
  }
  if (!worst->count)
    hints->used[hints->used_count++] = worst - hints->sites;
  memset(worst, 0, offsetof(struct hint_site, pairs));
  worst->pc = pc;
  return worst;
}

static void keep_word(struct hints *hints, const uint8_t *bytes, size_t length) {
  struct hint_word *place = hints->words + hints->given_count;
  if (length == 0 || length > HINT_BYTES)
    return;
  for (size_t i = 0; i < hints->word_count; i++) {
    struct hint_word *word = &hints->words[i];
    if (is_same(&word->text, bytes, length)) {
      word->round = hints->round;
      return;
    }
    if (i < hints->given_count)
      continue;
    if (word->round < place->round || (word->round == place->round && word->tries > place->tries))
      place = word;
  }
  if (hints->word_count < HINT_WORDS)
    place = &hints->words[hints->word_count++];
  set_text(&place->text, bytes, length);
  place->tries = 0;
  place->pc = 0;
  place->round = hints->round;
}

/* A word that a place compares with; one that begins as another of that place ends is joined to it. */
static void add_word(struct hints *hints, uint64_t pc, const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < hints->word_count; i++) {
    const struct hint_word *word = &hints->words[i];
    size_t before = word->text.length;
    if (word->pc != pc || before < 8 || length <= 4)
      continue;
    if (before + length - 4 > HINT_BYTES || memcmp(word->text.bytes + before - 4, bytes, 4))
      continue;
    uint8_t joined[HINT_BYTES];
    memcpy(joined, word->text.bytes, before);
    memcpy(joined + before, bytes + 4, length - 4);
    keep_word(hints, joined, before + length - 4);
    break;
  }
  uint32_t known = hints->word_count;
  keep_word(hints, bytes, length);
  if (hints->word_count > known)
    hints->words[known].pc = pc;
}

/* Those of a pair that is text on both sides: which of them is the program's is known of constants. */
static void add_words(struct hints *hints, uint64_t pc, const struct hint_pair *pair) {
  add_word(hints, pc, pair->to.bytes, pair->to.length);
  if (!pair->is_const)
    add_word(hints, pc, pair->from.bytes, pair->from.length);
}

/* Where a new pair goes: a free place, or that of the one seen longest ago; of those of this round each is
 * as likely to stay. NULL: nowhere. */
static struct hint_pair *place_pair(struct hints *hints, struct hint_site *site) {
  struct hint_pair *worst = site->pairs;
  site->fresh++;
  if (site->count < HINT_PAIRS)
    return &site->pairs[site->count++];
  for (struct hint_pair *pair = site->pairs; pair < site->pairs + HINT_PAIRS; pair++)
    if (pair->round < worst->round || (pair->round == worst->round && pair->tries > worst->tries))
      worst = pair;
  if (worst->round < hints->round)
    return worst;
  uint32_t at = below(hints, site->fresh);
  return at < HINT_PAIRS ? &site->pairs[at] : NULL;
}

/* The same operand, whatever was before it. */
static int is_operand(const struct hint_text *text, const struct hint_text *other, size_t size) {
  if (size == 0)
    return is_same(text, other->bytes, other->length);
  return !memcmp(text->bytes + text->length - size, other->bytes + other->length - size, size);
}

static void add_pair(struct hints *hints, struct hint_site *site, const struct hint_pair *added) {
  for (struct hint_pair *pair = site->pairs; pair < site->pairs + site->count; pair++) {
    if (pair->size != added->size || pair->is_const != added->is_const ||
        !is_operand(&pair->from, &added->from, added->size) ||
        !is_operand(&pair->to, &added->to, added->size))
      continue;
    /* The bytes before it may be of another place in the input by now. */
    if (pair->round < hints->round || next_random(hints) % 4 == 0) {
      pair->from = added->from;
      pair->to = added->to;
    }
    pair->round = hints->round;
    return;
  }
  struct hint_pair *place = place_pair(hints, site);
  if (!place)
    return;
  *place = *added;
  place->tries = 0;
  place->round = hints->round;
  site->tries /= 2;
  hints->idle = 0;
}

/* Whether a comparison is one more of a loop that counts. The first few are kept. */
static int counts(struct hint_site *site, uint64_t one, uint64_t other) {
  int is_next = 0;
  for (size_t i = 0; i < COUNT(site->last); i++) {
    const uint64_t *last = site->last[i];
    is_next |= (one == last[0] + 1 && other == last[1]) || (other == last[1] + 1 && one == last[0]);
  }
  if (is_next)
    site->streak++;
  memmove(site->last[1], site->last[0], sizeof site->last - sizeof site->last[0]);
  site->last[0][0] = one;
  site->last[0][1] = other;
  return is_next && site->streak > 4;
}

static int is_constant(const uint8_t *bytes, size_t count, size_t step) {
  for (size_t i = step; i < count; i += step)
    if (bytes[i] != bytes[0])
      return 0;
  return 1;
}

static int counts_up(const uint8_t *bytes, size_t count, size_t step) {
  for (size_t i = step; i < count; i += step)
    if (bytes[i] != (uint8_t)(bytes[i - step] + 1))
      return 0;
  return 1;
}

/* Whether each `step`th comparison of a run, from `first` on, is of a loop's counter with its end. */
static int is_counting(const struct hint_run *run, size_t step, size_t first) {
  size_t left = run->length - first;
  const uint8_t *from = run->from + first, *to = run->to + first;
  return left > 2 * step && ((is_constant(from, left, step) && counts_up(to, left, step)) ||
                             (is_constant(to, left, step) && counts_up(from, left, step)));
}

/* Joins each `step`th comparison of a run, from `first` on. The same constant each time is no word. */
static void join(struct hints *hints, struct hint_site *site, size_t step, size_t first) {
  const struct hint_run *run = &site->run;
  struct hint_pair pair = {.is_const = run->is_const};
  if (is_constant(run->to + first, run->length - first, step))
    return;
  for (size_t i = first; i < run->length; i += step) {
    pair.from.bytes[pair.from.length++] = run->from[i];
    pair.to.bytes[pair.to.length++] = run->to[i];
  }
  add_pair(hints, site, &pair);
  add_words(hints, site->pc, &pair);
}

/* A run is one word where a loop goes on whatever it finds. Where the loop's counter is compared in the same
 * block, each second or third is of the word. */
static void end_run(struct hints *hints, struct hint_site *site) {
  struct hint_run *run = &site->run;
  size_t length = run->length, counter = 0, step = 2;
  while (step <= 3 && !(length > 2 * step && is_counting(run, step, counter)))
    if (++counter == step)
      counter = 0, step++;
  if (step > 3 && memcmp(run->from, run->to, length))
    join(hints, site, 1, 0);
  for (size_t other = 0; step <= 3 && other < step; other++)
    if (other != counter)
      join(hints, site, step, other);
  run->length = 0;
}

static void add_to_run(struct hints *hints, struct hint_site *site, const struct hint_pair *pair) {
  struct hint_run *run = &site->run;
  if (run->length == HINT_BYTES)
    end_run(hints, site);
  run->is_const = pair->is_const && (run->is_const || run->length == 0);
  run->from[run->length] = pair->from.bytes[pair->from.length - 1];
  run->to[run->length++] = pair->to.bytes[pair->to.length - 1];
}

/* The values that the program has found equal, one after the other, up to now in an area. */
struct chain {
  /* Of the last of it. */
  struct hint_text known;
  /* Of it what was found without anything else between. */
  uint8_t word;
};

/* An operand of 2 to 8 bytes is only taken for what stands in the input if it is text. */
static void extend(struct chain *chain, const uint8_t *bytes, size_t size) {
  struct hint_text *known = &chain->known;
  if (size > 1 && !is_text(bytes, size))
    return;
  size_t over = known->length + size > HINT_BYTES - 8 ? known->length + size - (HINT_BYTES - 8) : 0;
  memmove(known->bytes, known->bytes + over, known->length - over);
  memcpy(known->bytes + known->length - over, bytes, size);
  known->length += size - over;
  chain->word = chain->word + size > known->length ? known->length : chain->word + size;
}

/* Puts what was known before an operand in front of it. */
static void prepend(struct hint_text *text, const struct hint_text *known) {
  memmove(text->bytes + known->length, text->bytes, text->length);
  memcpy(text->bytes, known->bytes, known->length);
  text->length += known->length;
}

/* The last `length` bytes of a text. */
static struct hint_text tail_of(const struct hint_text *text, size_t length) {
  struct hint_text tail;
  set_text(&tail, text->bytes + text->length - length, length);
  return tail;
}

/* Keeps a pair that differs, with what was known before it, and the words that it tells of. */
static void add_difference(struct hints *hints, struct hint_site *site, struct hint_pair *pair, struct chain *chain) {
  struct hint_pair word = *pair;
  size_t length = text_length(pair->to.bytes, pair->size);
  /* Small numbers on both sides are a counter and its end, which do not part what is around them. */
  int is_small = pair->size == 1 && pair->from.bytes[0] < ' ' && pair->to.bytes[0] < ' ';
  prepend(&pair->from, &chain->known);
  prepend(&pair->to, &chain->known);
  add_pair(hints, site, pair);
  if (length > 1 && is_text(word.to.bytes, length))
    add_word(hints, site->pc, word.to.bytes, length);
  if (is_small)
    return;
  if (chain->word > 1 && pair->size == 1) {
    word.from = tail_of(&pair->from, chain->word + 1);
    word.to = tail_of(&pair->to, chain->word + 1);
    add_words(hints, site->pc, &word);
  }
  chain->word = 0;
}

static void add_record(struct hints *hints, struct chain *chain, const uint64_t record[4]) {
  struct hint_site *site = find_site(hints, record[3]);
  size_t size = 1 << (record[0] >> 1 & 3);
  /* A constant is the first argument. */
  struct hint_pair pair = {.size = size, .is_const = record[0] & 1};
  pair.from.length = pair.to.length = size;
  put_number(pair.from.bytes, record[2], size, 0);
  put_number(pair.to.bytes, record[1], size, 0);
  if (site->round != hints->round) {
    site->run.length = site->streak = site->fresh = 0;
    site->round = hints->round;
    if (hints->recent_count < HINT_SITES)
      hints->recent[hints->recent_count++] = site - hints->sites;
  }
  int is_equal = is_same(&pair.from, pair.to.bytes, size);
  int is_counter = !is_equal && counts(site, record[1], record[2]);
  if (size == 1)
    add_to_run(hints, site, &pair);
  if (is_equal) {
    extend(chain, pair.to.bytes, size);
    /* A place is known by its pairs. */
    if (site->count == 0)
      add_pair(hints, site, &pair);
  } else if (!is_counter) {
    add_difference(hints, site, &pair, chain);
  }
}

/* Whether something is told of a place for the first time. */
static int is_told_first(struct hints *hints, uint64_t pc, uint64_t what) {
  uint64_t bit = mix(mix(pc) + what) % HINT_BITS;
  uint64_t *word = &hints->told[bit / 64], mask = 1ull << bit % 64;
  int is_first = !(*word & mask);
  *word |= mask;
  return is_first;
}

/* How often in a row, up to now in an area, a place that compares no constants has found them equal. */
struct streak {
  uint64_t pc;
  uint8_t length;
};
#define STREAKS 256

/* Of what is no constant, each input has another: what tells is how much of it is equal, one after the other. */
static int has_come_further(struct hints *hints, struct streak *streaks, const uint64_t record[4]) {
  enum { PLACE, EQUAL, CONSTANT };
  int is_equal = record[1] == record[2];
  int is_further = is_told_first(hints, record[3], PLACE);
  if (is_equal)
    is_further |= is_told_first(hints, record[3], EQUAL);
  if (record[0] & 1)
    return is_further | is_told_first(hints, record[3], mix(record[1] + record[0]) + CONSTANT + is_equal);
  struct streak *streak = &streaks[mix(record[3]) % STREAKS];
  streak->length = !is_equal ? 0 : streak->pc == record[3] && streak->length < HINT_BYTES ? streak->length + 1 : 1;
  streak->pc = record[3];
  if (streak->length > 1)
    is_further |= is_told_first(hints, record[3], mix(streak->length));
  return is_further;
}

static void add_records(struct hints *hints, const uint64_t *area) {
  struct chain chain = {.word = 0};
  hints->round++;
  hints->idle++;
  hints->recent_count = 0;
  for (uint64_t i = 0; i < area[0]; i++)
    add_record(hints, &chain, area + 1 + 4 * i);
  for (size_t i = 0; i < hints->recent_count; i++) {
    struct hint_site *site = &hints->sites[hints->recent[i]];
    if (site->round == hints->round && site->run.length > 1)
      end_run(hints, site);
  }
}
#endif
