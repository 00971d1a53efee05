/* hints_driver SEED < LINES
 *
 * Calls hints.c as the lines say, and prints what comes of it:
 *
 *     add TYPE ARG1 ARG2 PC ...      an area of these records, all in hex
 *     further TYPE ARG1 ARG2 PC ...  the same; prints how many of them tell of something new
 *     mutate COUNT MAX INPUT         so many mutations, a line each; "-" for none; bytes in hex
 *     word BYTES
 *     words                          a line of all
 *     worthwhile FOUND NOW INPUT     0 or 1
 *     spent START END */
#include "../../bridges/hints.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (1 << 18)
#define LONGEST 65536

static struct hints hints;
static uint64_t area[WORDS];
static char line[1 << 22];

static size_t parse(const char *text, uint8_t *bytes) {
  size_t size = 0;
  for (; text && text[0] > ' ' && text[1] > ' '; text += 2) {
    char digits[3] = {text[0], text[1], 0};
    bytes[size++] = strtoul(digits, NULL, 16);
  }
  return size;
}

static void print(const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++)
    printf("%02x", bytes[i]);
}

static unsigned add(void) {
  uint64_t count = 0;
  for (char *word; (word = strtok(NULL, " \n"));)
    area[1 + count++] = strtoull(word, NULL, 16);
  area[0] = count / 4;
  return hints_add(&hints, area);
}

static void mutate(void) {
  static uint8_t input[LONGEST], data[LONGEST];
  int count = atoi(strtok(NULL, " \n"));
  size_t max = atoi(strtok(NULL, " \n"));
  size_t size = parse(strtok(NULL, " \n"), input);
  for (int i = 0; i < count; i++) {
    /* Of the size that it may take, for a checker of memory to see what goes beyond. */
    uint8_t *exact = malloc(max ? max : 1);
    memcpy(exact, input, size < max ? size : max);
    memcpy(data, exact, size < max ? size : max);
    size_t mutated = hints_mutate(&hints, exact, size, max, i * 2654435761u);
    if (mutated)
      print(exact, mutated);
    else
      printf(memcmp(exact, data, size < max ? size : max) ? "changed" : "-");
    puts("");
    free(exact);
  }
}

static void words(void) {
  const uint8_t *bytes;
  for (size_t i = 0; i < hints_words(&hints); i++) {
    print(bytes, hints_word(&hints, i, &bytes));
    printf(" ");
  }
  puts("");
}

int main(int argc, char **argv) {
  static uint8_t bytes[LONGEST];
  hints_init(&hints, argc > 1 ? atoi(argv[1]) : 0);
  while (fgets(line, sizeof line, stdin)) {
    char *verb = strtok(line, " \n");
    if (!strcmp(verb, "add"))
      add();
    else if (!strcmp(verb, "further"))
      printf("%u\n", add());
    else if (!strcmp(verb, "mutate"))
      mutate();
    else if (!strcmp(verb, "word")) {
      size_t size = parse(strtok(NULL, " \n"), bytes);
      hints_add_word(&hints, bytes, size);
    } else if (!strcmp(verb, "words"))
      words();
    else if (!strcmp(verb, "worthwhile")) {
      int has_found = atoi(strtok(NULL, " \n"));
      uint64_t now = strtoull(strtok(NULL, " \n"), NULL, 10);
      size_t size = parse(strtok(NULL, " \n"), bytes);
      printf("%d\n", hints_worthwhile(&hints, bytes, size, has_found, now));
    } else if (!strcmp(verb, "spent")) {
      uint64_t start = strtoull(strtok(NULL, " \n"), NULL, 10);
      hints_spent(&hints, start, strtoull(strtok(NULL, " \n"), NULL, 10));
    }
  }
  return 0;
}
