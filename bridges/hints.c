/* See hints.h. What is kept of comparisons is in hint_store.h, what may stand in an input in hint_forms.h. */
#include "hint_store.h"

void hints_init(struct hints *hints, uint32_t seed) {
  memset(hints, 0, sizeof *hints);
  hints->random = mix(seed + 1);
  hints->share = 25;
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
  struct streak streaks[STREAKS];
  memset(streaks, 0, sizeof streaks);
  for (uint64_t i = 0; i < area[0]; i++)
    further += has_come_further(hints, streaks, area + 1 + 4 * i);
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
    /* A comparison by < is as often decided beside the value. */
    uint64_t off = next_random(hints) % 8 ? 0 : next_random(hints) % 2 ? 1 : -1ull;
    uint64_t mask = ~0ull >> (64 - 8 * pair->size);
    number_forms(forms, number(from, pair->size), (number(to, pair->size) + off) & mask, pair->size);
  }
  return choose(hints, forms);
}

/* A comparison of the input's area, else of the newest one, counts as if it had been tried less. */
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

/* Where its beginning stands already. */
static size_t complete(struct hints *hints, const struct hint_text *word, uint8_t *data, size_t size, size_t max) {
  size_t start = size ? below(hints, size) : 0;
  for (size_t i = 0; i < size; i++) {
    size_t at = start + i < size ? start + i : start + i - size, known = 0;
    while (known < word->length && at + known < size && data[at + known] == word->bytes[known])
      known++;
    if (known && known < word->length)
      return put(hints, data, size, max, at, known, word->bytes, word->length);
  }
  return 0;
}

static size_t insert_word(struct hints *hints, uint8_t *data, size_t size, size_t max) {
  struct hint_word *best = NULL;
  if (hints->word_count == 0)
    return 0;
  uint32_t first = 0, count = hints->word_count, given = hints->given_count;
  if (given && given < count) {
    int is_given = next_random(hints) % 2;
    first = is_given ? 0 : given;
    count = is_given ? given : count - given;
  }
  for (int i = 0; i < 4; i++) {
    struct hint_word *word = &hints->words[first + below(hints, count)];
    if (!best || cost_of(hints, word->tries, word->round) < cost_of(hints, best->tries, best->round))
      best = word;
  }
  best->tries++;
  size_t result = given && next_random(hints) % 4 == 0 ? complete(hints, &best->text, data, size, max) : 0;
  return result ? result : put_in(hints, best->text.bytes, best->text.length, data, size, max);
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

void hints_add_word(struct hints *hints, const uint8_t *bytes, size_t length) {
  int is_first = hints->given_count == hints->word_count && hints->given_count < HINT_WORDS / 2;
  keep_word(hints, bytes, length);
  if (is_first)
    hints->given_count = hints->word_count;
}

size_t hints_words(const struct hints *hints) { return hints->word_count; }

size_t hints_word(const struct hints *hints, size_t index, const uint8_t **bytes) {
  *bytes = hints->words[index].text.bytes;
  return hints->words[index].text.length;
}

/* ---- The budget ---- */

/* Rounds without anything new after which the share is halved, and again after twice as many, ... */
#define PATIENCE 16
/* Percent that stay in any case: what comes next may only be made by chance. */
#define LEAST_SHARE 8

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
  for (uint32_t idle = hints->idle / PATIENCE; idle && share > LEAST_SHARE; idle /= 2)
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
