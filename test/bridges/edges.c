/* Reads areas, one a line, as words in hex; says after each what edges.h makes of it: how many edges it
 * knows, and counters that are not 0, by their indices. "grow N" goes on with N counters. */
#include "edges.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOST (1 << 20)
static uint64_t area[MOST];
static uint8_t counters[MOST];

int main(int argc, char **argv) {
  static char line[32 * MOST];
  size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : MOST;
  struct edges edges;
  if (edges_init(&edges, counters, size))
    return 2;
  while (fgets(line, sizeof line, stdin)) {
    size_t wanted;
    if (sscanf(line, "grow %zu", &wanted) == 1) {
      edges_grow(&edges, counters, size = wanted);
      continue;
    }
    area[0] = 0;
    for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
      area[++area[0]] = strtoull(word, NULL, 16);
    memset(counters, 0, sizeof counters);
    printf("%zu:", edges_count(&edges, area));
    for (size_t i = 0; i < MOST; i++)
      if (counters[i])
        printf(" %zu=%u", i, counters[i]);
    putchar('\n');
  }
  edges_free(&edges);
  return 0;
}
