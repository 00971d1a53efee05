/* The forms in which what a program compares may stand in an input: for hints.c alone. */
#ifndef HINT_FORMS_H
#define HINT_FORMS_H
#define _GNU_SOURCE
#include "hints.h"
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int is_same(const struct hint_text *text, const uint8_t *bytes, size_t length) {
  return text->length == length && !memcmp(text->bytes, bytes, length);
}

static void set_text(struct hint_text *text, const uint8_t *bytes, size_t length) {
  text->length = length;
  memcpy(text->bytes, bytes, length);
}

/* A number's bytes, from the lowest, or from the highest. */
static void put_number(uint8_t *bytes, uint64_t value, size_t size, int is_big) {
  for (size_t i = 0; i < size; i++)
    bytes[is_big ? size - 1 - i : i] = i < 8 ? value >> 8 * i : 0;
}

static int is_text(const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (bytes[i] < ' ')
      return 0;
  return length > 0;
}

/* The bytes of a text, which has zeros behind it where it was padded. */
static size_t text_length(const uint8_t *bytes, size_t size) {
  while (size > 0 && bytes[size - 1] == 0)
    size--;
  return size;
}

static uint64_t number(const struct hint_text *text, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++)
    value |= (uint64_t)text->bytes[text->length - size + i] << 8 * i;
  return value;
}

/* Bytes that may stand in an input, and what is put in their place. */
struct form {
  uint8_t from_length, to_length;
  uint8_t from[HINT_BYTES], to[HINT_BYTES];
  /* Where it was found, if it was, and how likely it is to be taken. */
  size_t at;
  uint32_t weight;
  /* Letters of either case are found. */
  uint8_t ignores_case;
};

/* The bytes of an input: they tell at once of most texts that they are not in it. */
struct view {
  const uint8_t *data;
  size_t size;
  /* A bit a byte, and a bit two bytes that follow each other, letters of either case being the same. */
  uint64_t bytes[256 / 64], twos[65536 / 64];
};

struct forms {
  const struct view *view;
  size_t count;
  struct form list[40];
};

static uint8_t upper(uint8_t byte) { return byte >= 'a' && byte <= 'z' ? byte - 32 : byte; }

static void look(struct view *view, const uint8_t *data, size_t size) {
  memset(view, 0, sizeof *view);
  view->data = data;
  view->size = size;
  for (size_t i = 0; i < size; i++) {
    unsigned byte = upper(data[i]), two = byte << 8 | (i + 1 < size ? upper(data[i + 1]) : 0);
    view->bytes[byte / 64] |= 1ull << byte % 64;
    view->twos[two / 64] |= 1ull << two % 64;
  }
}

static int may_have(const struct view *view, const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned byte = upper(bytes[i]), two = byte << 8 | (i + 1 < length ? upper(bytes[i + 1]) : 0);
    if (!(view->bytes[byte / 64] >> byte % 64 & 1))
      return 0;
    if (i + 1 < length && !(view->twos[two / 64] >> two % 64 & 1))
      return 0;
  }
  return length > 0;
}

static void add_texts(struct forms *forms, const uint8_t *from, size_t from_length,
                      const uint8_t *to, size_t to_length, int ignores_case) {
  struct form *form = &forms->list[forms->count];
  if (forms->count == COUNT(forms->list) || from_length > HINT_BYTES || to_length > HINT_BYTES)
    return;
  if (!may_have(forms->view, from, from_length))
    return;
  if (from_length == to_length && !memcmp(from, to, to_length))
    return;
  forms->count++;
  form->from_length = from_length;
  memcpy(form->from, from, from_length);
  form->to_length = to_length;
  memcpy(form->to, to, to_length);
  form->ignores_case = ignores_case;
  form->weight = 0;
}

static int is_negative(uint64_t value, size_t size) { return value >> (8 * size - 1) & 1; }

static uint64_t extended(uint64_t value, size_t size, int is_signed) {
  return is_signed && size < 8 && is_negative(value, size) ? value | ~0ull << 8 * size : value;
}

static size_t bytes_of(uint64_t value) {
  size_t size = 1;
  while (size < 8 && value >> 8 * size)
    size++;
  return size;
}

static void add_numbers(struct forms *forms, uint64_t from, uint64_t to, size_t width) {
  uint8_t one[8] = {0}, other[8] = {0};
  for (int is_big = 0; is_big < (width > 1 ? 2 : 1); is_big++) {
    put_number(one, from, width, is_big);
    put_number(other, to, width, is_big);
    add_texts(forms, one, width, other, width, 0);
  }
}

static size_t print(uint8_t *text, uint64_t value, unsigned base, char ten) {
  uint8_t digits[20];
  size_t count = 0;
  do {
    unsigned digit = value % base;
    digits[count++] = digit < 10 ? '0' + digit : ten + digit - 10;
  } while (value /= base);
  for (size_t i = 0; i < count; i++)
    text[i] = digits[count - 1 - i];
  return count;
}

static size_t print_signed(uint8_t *text, int64_t value) {
  text[0] = '-';
  return value < 0 ? 1 + print(text + 1, -(uint64_t)value, 10, 0) : print(text, value, 10, 0);
}

static void add_digits(struct forms *forms, uint64_t from, uint64_t to, unsigned base, char ten) {
  uint8_t one[20], other[20];
  size_t length = print(one, from, base, ten), other_length = print(other, to, base, ten);
  add_texts(forms, one, length, other, other_length, 0);
}

static void add_signed(struct forms *forms, int64_t from, int64_t to) {
  uint8_t one[24], other[24];
  size_t length = print_signed(one, from), other_length = print_signed(other, to);
  add_texts(forms, one, length, other, other_length, 0);
}

/* A number may stand in an input in its own width, in a wider one, in the fewest bytes that hold both, in
 * either order, and in digits. */
static void number_forms(struct forms *forms, uint64_t from, uint64_t to, size_t size) {
  size_t least = bytes_of(from) > bytes_of(to) ? bytes_of(from) : bytes_of(to);
  int is_signed = is_negative(from, size) || is_negative(to, size);
  add_numbers(forms, from, to, size);
  if (least < size)
    add_numbers(forms, from, to, least);
  for (size_t width = 2 * size; width <= 8; width *= 2) {
    if (is_signed)
      add_numbers(forms, extended(from, size, 1), extended(to, size, 1), width);
    if (width <= 4)
      add_numbers(forms, from, to, width);
  }
  add_digits(forms, from, to, 10, 0);
  if (is_signed)
    add_signed(forms, extended(from, size, 1), extended(to, size, 1));
  if (from > 9 || to > 9) {
    add_digits(forms, from, to, 16, 'a');
    add_digits(forms, from, to, 16, 'A');
  }
}

static void add_wide(struct forms *forms, const struct hint_text *from, const struct hint_text *to) {
  uint8_t one[2 * HINT_BYTES] = {0}, other[2 * HINT_BYTES] = {0};
  if (from->length > HINT_BYTES / 2 || to->length > HINT_BYTES / 2)
    return;
  for (size_t i = 0; i < from->length; i++)
    one[1 + 2 * i] = from->bytes[i];
  for (size_t i = 0; i < to->length; i++)
    other[1 + 2 * i] = to->bytes[i];
  /* Of UTF-16 the order is told by where the zeros are. */
  add_texts(forms, one, 2 * from->length, other, 2 * to->length, 0);
  add_texts(forms, one + 1, 2 * from->length, other + 1, 2 * to->length, 0);
}

static int has_letter(const struct hint_text *text) {
  for (size_t i = 0; i < text->length; i++)
    if (upper(text->bytes[i]) >= 'A' && upper(text->bytes[i]) <= 'Z')
      return 1;
  return 0;
}

/* A text as it is, without some of what was known before it, in the other case, in UTF-16. */
static void text_forms(struct forms *forms, const struct hint_text *from, const struct hint_text *to, size_t size) {
  size_t known = size && from->length >= size ? from->length - size : 0;
  size_t from_length = known + text_length(from->bytes + known, from->length - known);
  size_t to_length = known + text_length(to->bytes + known, to->length - known);
  for (size_t drop = 0;; drop += (known - drop + 1) / 2) {
    add_texts(forms, from->bytes + drop, from_length - drop, to->bytes + drop, to_length - drop, 0);
    if (drop == known)
      break;
  }
  struct hint_text one, other;
  set_text(&one, from->bytes + known, from_length - known);
  set_text(&other, to->bytes + known, to_length - known);
  add_wide(forms, &one, &other);
  if (one.length > 1 && has_letter(&one))
    add_texts(forms, one.bytes, one.length, other.bytes, other.length, 1);
}

static const uint8_t *find(const uint8_t *data, size_t size, const struct form *form) {
  if (!form->ignores_case)
    return memmem(data, size, form->from, form->from_length);
  for (size_t at = 0; at + form->from_length <= size; at++) {
    size_t i = 0;
    while (i < form->from_length && upper(data[at + i]) == upper(form->from[i]))
      i++;
    if (i == form->from_length)
      return data + at;
  }
  return NULL;
}

#define MOST_PLACES 16

/* Finds the first places behind a start, and around it. Returns their number. */
static size_t find_places(const struct form *form, const struct view *view, size_t start, size_t places[MOST_PLACES]) {
  size_t count = 0, over = start + form->from_length - 1;
  for (int part = 0; part < 2; part++) {
    const uint8_t *at = view->data + (part ? 0 : start);
    const uint8_t *end = view->data + (part && over < view->size ? over : view->size);
    for (; count < MOST_PLACES && at < end && (at = find(at, end - at, form)); at++)
      places[count++] = at - view->data;
  }
  return count;
}
#endif
