/* See hints.h. The first part keeps comparisons, the second changes inputs by them, the third is the budget. */
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

void hints_init(struct hints *hints, uint32_t seed) {
  memset(hints, 0, sizeof *hints);
  hints->random = mix(seed + 1);
  hints->share = 25;
}

/* ---- Comparisons ---- */

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

void hints_add_word(struct hints *hints, const uint8_t *bytes, size_t length) {
  struct hint_word *place = hints->words;
  if (length == 0 || length > HINT_BYTES)
    return;
  for (size_t i = 0; i < hints->word_count; i++) {
    struct hint_word *word = &hints->words[i];
    if (is_same(&word->text, bytes, length)) {
      word->round = hints->round;
      return;
    }
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
    hints_add_word(hints, joined, before + length - 4);
    break;
  }
  uint32_t known = hints->word_count;
  hints_add_word(hints, bytes, length);
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
    /* What was before it may be of another place in the input by now. */
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

/* What the program has found equal, one after the other, up to now in an area. */
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

/* Of what is no constant, each input has another. */
static int has_come_further(struct hints *hints, const uint64_t record[4]) {
  enum { PLACE, EQUAL, CONSTANT };
  int is_equal = record[1] == record[2];
  int is_further = is_told_first(hints, record[3], PLACE);
  if (is_equal)
    is_further |= is_told_first(hints, record[3], EQUAL);
  if (record[0] & 1)
    is_further |= is_told_first(hints, record[3], mix(record[1] + record[0]) + CONSTANT + is_equal);
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

/* Remembers the places for the input that was asked about; the last ones, where there are too many. */
static void focus(struct hints *hints) {
  struct hint_focus *focus = &hints->focuses[hints->asked / 2 % HINT_FOCUSES];
  uint32_t count = hints->recent_count;
  focus->hash = hints->asked;
  focus->round = hints->round;
  focus->count = count < HINT_FOCUSED ? count : HINT_FOCUSED;
  memcpy(focus->sites, hints->recent + count - focus->count, focus->count * sizeof *focus->sites);
}

unsigned hints_add(struct hints *hints, const uint64_t *area) {
  unsigned further = 0;
  for (uint64_t i = 0; i < area[0]; i++)
    further += has_come_further(hints, area + 1 + 4 * i);
  if (further || !hints->asked || hints->has_found) {
    add_records(hints, area);
    if (hints->asked)
      focus(hints);
  } else {
    hints->idle++;
  }
  return further;
}

/* ---- Inputs ---- */

/* Bytes of an input that are searched, from a place that chance names. */
#define MOST_SEARCHED 4096

/* Chooses one of the places of a form, if there are any. */
static int locate(struct hints *hints, struct form *form, const struct view *view) {
  size_t places[MOST_PLACES];
  size_t count = find_places(form, view, view->size ? below(hints, view->size) : 0, places);
  if (count)
    form->at = places[below(hints, count)];
  return count > 0;
}

/* Replaces `from_length` bytes at `at`. Returns the new size, or 0 where it would be too long. */
static size_t splice(uint8_t *data, size_t size, size_t max, size_t at, size_t from_length,
                     const uint8_t *bytes, size_t length) {
  size_t result = size - from_length + length;
  if (result > max || result == 0)
    return 0;
  memmove(data + at + length, data + at + from_length, size - at - from_length);
  memcpy(data + at, bytes, length);
  return result;
}

/* A longer text takes the place of as many bytes, or moves what is behind it. */
static size_t put(struct hints *hints, uint8_t *data, size_t size, size_t max, size_t at,
                  size_t from_length, const uint8_t *bytes, size_t length) {
  size_t left = size - at;
  if (length > from_length && next_random(hints) % 2 == 0)
    from_length = left < length ? left : length;
  size_t result = splice(data, size, max, at, from_length, bytes, length);
  return result ? result : splice(data, size, max, at, left < length ? left : length, bytes, length);
}

/* A longer match is likelier to be what was compared. */
static struct form *choose(struct hints *hints, struct forms *forms) {
  uint32_t weights = 0;
  for (size_t i = 0; i < forms->count; i++) {
    struct form *form = &forms->list[i];
    size_t length = form->from_length < 8 ? form->from_length : 8;
    if (locate(hints, form, forms->view))
      weights += form->weight = length * length;
  }
  if (weights == 0)
    return NULL;
  uint32_t chosen = below(hints, weights);
  struct form *form = forms->list;
  for (; chosen >= form->weight; form++)
    chosen -= form->weight;
  return form;
}

/* Finds one side of a pair, to put the other in its place. NULL where the input has none of it. */
static struct form *relate(struct hints *hints, const struct hint_pair *pair, int is_reversed, struct forms *forms) {
  const struct hint_text *from = is_reversed ? &pair->to : &pair->from;
  const struct hint_text *to = is_reversed ? &pair->from : &pair->to;
  forms->count = 0;
  text_forms(forms, from, to, pair->size);
  if (pair->size) {
    /* What is compared by < is as often decided beside it. */
    uint64_t off = next_random(hints) % 8 ? 0 : next_random(hints) % 2 ? 1 : -1ull;
    uint64_t mask = ~0ull >> (64 - 8 * pair->size);
    number_forms(forms, number(from, pair->size), (number(to, pair->size) + off) & mask, pair->size);
  }
  return choose(hints, forms);
}

/* What is of the input's area, else of the newest one, counts as if it had been tried less. */
static uint32_t cost_of(const struct hints *hints, uint32_t tries, uint32_t round) {
  return round == hints->focused ? tries / 8 : tries + 1;
}

static uint32_t hash_of(const uint8_t *data, size_t size) {
  uint64_t hash = mix(size + 1);
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ data[i]) * 0x100000001b3;
  return mix(hash) | 1;
}

/* Of some that chance names, the one tried least; mostly of the input's own, else half the times of the newest
 * area. */
static struct hint_site *pick_site(struct hints *hints) {
  const struct hint_focus *focus = hints->focus;
  const uint16_t *list = hints->used;
  uint32_t count = hints->used_count, chance = next_random(hints) % 4;
  if (focus && focus->count && chance)
    list = focus->sites, count = focus->count;
  else if (!focus && hints->recent_count && chance % 2)
    list = hints->recent, count = hints->recent_count;
  struct hint_site *best = NULL;
  for (int i = 0; i < 4; i++) {
    struct hint_site *site = &hints->sites[list[below(hints, count)]];
    if (!best || cost_of(hints, site->tries, site->round) < cost_of(hints, best->tries, best->round))
      best = site;
  }
  best->tries++;
  return best;
}

static struct hint_pair *pick_pair(struct hints *hints) {
  struct hint_site *site = pick_site(hints);
  struct hint_pair *best = NULL;
  for (int i = 0; i < 4; i++) {
    struct hint_pair *pair = &site->pairs[below(hints, site->count)];
    if (!best || cost_of(hints, pair->tries, pair->round) < cost_of(hints, best->tries, best->round))
      best = pair;
  }
  best->tries += best->tries < UINT16_MAX;
  return best;
}

#define MOST_PICKED 12

static size_t replace_any(struct hints *hints, uint8_t *data, size_t size, size_t max) {
  struct view view;
  struct forms forms = {.view = &view};
  size_t window = size < MOST_SEARCHED ? size : MOST_SEARCHED;
  size_t start = below(hints, size - window + 1);
  look(&view, data + start, window);
  for (int i = 0; i < MOST_PICKED; i++) {
    const struct hint_pair *pair = pick_pair(hints);
    int is_reversed = !pair->is_const && next_random(hints) % 2;
    struct form *form = relate(hints, pair, is_reversed, &forms);
    if (!form && !pair->is_const)
      form = relate(hints, pair, !is_reversed, &forms);
    size_t result = form ? put(hints, data, size, max, start + form->at, form->from_length, form->to, form->to_length) : 0;
    if (result)
      return result;
  }
  return 0;
}

/* At the beginning, at the end or anywhere, between what is there or over it. */
static size_t put_in(struct hints *hints, const uint8_t *bytes, size_t length, uint8_t *data, size_t size,
                     size_t max) {
  uint32_t where = next_random(hints) % 4;
  size_t at = where == 0 ? 0 : where == 1 ? size : below(hints, size + 1);
  return length ? put(hints, data, size, max, at, 0, bytes, length) : 0;
}

static size_t insert_operand(struct hints *hints, uint8_t *data, size_t size, size_t max) {
  const struct hint_pair *pair = pick_pair(hints);
  const struct hint_text *text = !pair->is_const && next_random(hints) % 2 ? &pair->from : &pair->to;
  size_t known = text->length - pair->size;
  if (pair->size && next_random(hints) % 4 == 0) {
    uint8_t digits[20];
    return put_in(hints, digits, print(digits, number(text, pair->size), 10, 0), data, size, max);
  }
  size_t skipped = known && next_random(hints) % 2 ? known : 0;
  size_t length = text_length(text->bytes, text->length);
  uint8_t swapped[8];
  if (length > known && !is_text(text->bytes + known, length - known) && next_random(hints) % 2) {
    put_number(swapped, number(text, pair->size), pair->size, 1);
    return put_in(hints, swapped, pair->size, data, size, max);
  }
  if (next_random(hints) % 4 == 0)
    length = text->length;
  return length > skipped ? put_in(hints, text->bytes + skipped, length - skipped, data, size, max) : 0;
}

static size_t insert_word(struct hints *hints, uint8_t *data, size_t size, size_t max) {
  struct hint_word *best = NULL;
  if (hints->word_count == 0)
    return 0;
  for (int i = 0; i < 4; i++) {
    struct hint_word *word = &hints->words[below(hints, hints->word_count)];
    if (!best || cost_of(hints, word->tries, word->round) < cost_of(hints, best->tries, best->round))
      best = word;
  }
  best->tries++;
  return put_in(hints, best->text.bytes, best->text.length, data, size, max);
}

size_t hints_mutate(struct hints *hints, uint8_t *data, size_t size, size_t max, uint32_t random) {
  hints->random = mix(hints->random + random);
  uint32_t chance = random % 16;
  size_t result = 0;
  if (size > max)
    return 0;
  uint32_t hash = hash_of(data, size);
  const struct hint_focus *focus = &hints->focuses[hash / 2 % HINT_FOCUSES];
  hints->focus = focus->hash == hash ? focus : NULL;
  hints->focused = hints->focus ? focus->round : hints->round;
  if (hints->used_count == 0)
    return insert_word(hints, data, size, max);
  if (chance < 12) {
    result = replace_any(hints, data, size, max);
    if (result && chance == 0) {
      size_t again = replace_any(hints, data, result, max);
      result = again ? again : result;
    }
  }
  if (!result && chance < 14)
    result = insert_word(hints, data, size, max);
  return result ? result : insert_operand(hints, data, size, max);
}

size_t hints_words(const struct hints *hints) { return hints->word_count; }

size_t hints_word(const struct hints *hints, size_t index, const uint8_t **bytes) {
  *bytes = hints->words[index].text.bytes;
  return hints->words[index].text.length;
}

/* ---- The budget ---- */

/* Rounds without anything new after which the share is halved, and again after twice as many, ... */
#define PATIENCE 16

int hints_worthwhile(struct hints *hints, const uint8_t *data, size_t size, int has_found, uint64_t now) {
  uint32_t hash = hash_of(data, size);
  uint32_t *known = &hints->inputs[hash / 2 % HINT_INPUTS];
  if (!hints->started)
    hints->started = now ? now : 1;
  hints->asked = hash;
  hints->has_found = has_found;
  if (*known == hash)
    return 0;
  uint64_t expected = hints->runs ? hints->spent / hints->runs : 0;
  uint64_t share = has_found ? hints->share : (hints->share + 1) / 2;
  for (uint32_t idle = hints->idle / PATIENCE; idle && share > 1; idle /= 2)
    share /= 2;
  if (hints->runs && (hints->spent + expected) * 100 > (now - hints->started) * share)
    return 0;
  *known = hash;
  return 1;
}

void hints_spent(struct hints *hints, uint64_t start, uint64_t end) {
  hints->spent += end - start;
  hints->runs++;
}

void hints_set_share(struct hints *hints, unsigned percent) { hints->share = percent; }
