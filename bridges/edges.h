/* Edges out of an area of kcov's: each pair of PCs that follow each other has an 8-bit counter of its own,
 * as libFuzzer and AFL++ want them. It reads areas of KCOV_TRACE_PC, folded or not; see docs/folding.md.
 *
 *   struct edges edges;
 *   edges_init(&edges, counters, sizeof counters);
 *   ...
 *   area[0] = 0; run(input); edges_count(&edges, area);
 *
 * An edge keeps its counter as long as the struct lives. When all are taken, further edges share them, and
 * edges_count says so by a result above the size; edges_grow then gives each its own again.
 */
#ifndef KCOVFS_EDGES_H
#define KCOVFS_EDGES_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A mode of KCOV_ENABLE's, with KCOV_TRACE_PC; EINVAL where the device does not fold. */
#define KCOV_FOLD 0x40000000

/* Counts end here, as those of folded words do: so it does not matter which hits were folded. */
#define EDGES_MOST 254

struct edges_slot {
  uint64_t edge; /* EDGES_TAKEN is set in those that are taken. */
  size_t number;
};

struct edges {
  uint8_t *counters;
  size_t size;
  size_t known;
  struct edges_slot *slots;
  size_t capacity; /* A power of two. */
};

#define EDGES_TAKEN ((uint64_t)1 << 63)
#define EDGES_BLOCK 0xfffffffu
#define EDGES_FIRST_CAPACITY 4096

/* Where an edge is, or would be. */
static inline struct edges_slot *edges_find(const struct edges *edges, uint64_t edge) {
  uint64_t hash = edge * 0x9e3779b97f4a7c15u;
  size_t at = (size_t)(hash ^ hash >> 32) & (edges->capacity - 1);
  while (edges->slots[at].edge && edges->slots[at].edge != edge)
    at = (at + 1) & (edges->capacity - 1);
  return &edges->slots[at];
}

static inline int edges_make_room(struct edges *edges) {
  struct edges larger = *edges;
  if (edges->known < edges->capacity / 2)
    return 0;
  larger.capacity = edges->capacity ? edges->capacity * 2 : EDGES_FIRST_CAPACITY;
  larger.slots = (struct edges_slot *)calloc(larger.capacity, sizeof *larger.slots);
  if (!larger.slots)
    return -1;
  for (size_t i = 0; i < edges->capacity; i++)
    if (edges->slots[i].edge)
      *edges_find(&larger, edges->slots[i].edge) = edges->slots[i];
  free(edges->slots);
  *edges = larger;
  return 0;
}

/* The number of an edge; a new one gets the next. */
static inline size_t edges_number(struct edges *edges, uint64_t edge) {
  struct edges_slot *slot = edges_find(edges, edge | EDGES_TAKEN);
  if (slot->edge)
    return slot->number;
  /* A full table without memory for a larger one: it shares a counter, and is not kept. */
  if (edges_make_room(edges) && edges->known + 1 >= edges->capacity)
    return (size_t)edge;
  slot = edges_find(edges, edge | EDGES_TAKEN);
  slot->edge = edge | EDGES_TAKEN;
  return slot->number = edges->known++;
}

static inline void edges_add(struct edges *edges, uint64_t edge, unsigned hits) {
  uint8_t *counter = &edges->counters[edges_number(edges, edge) % edges->size];
  unsigned count = *counter + hits;
  *counter = (uint8_t)(count < EDGES_MOST ? count : EDGES_MOST);
}

/* The counters are the caller's, and live as long. Returns 0, or -1 without memory. */
static inline int edges_init(struct edges *edges, uint8_t *counters, size_t size) {
  struct edges fresh = {counters, size, 0, NULL, 0};
  *edges = fresh;
  return size ? edges_make_room(edges) : -1;
}

/* Other counters, more of them. Each edge keeps its number; what the old ones held is not copied. */
static inline void edges_grow(struct edges *edges, uint8_t *counters, size_t size) {
  edges->counters = counters;
  edges->size = size;
}

static inline void edges_free(struct edges *edges) {
  free(edges->slots);
  edges->slots = NULL;
  edges->capacity = edges->known = 0;
}

/* Adds what an area holds to the counters, which the caller clears. The target must not run: folding moves words.
 * Returns how many edges are known by now: all those of this struct's life. */
static inline size_t edges_count(struct edges *edges, const uint64_t *area) {
  uint64_t count = __atomic_load_n(&area[0], __ATOMIC_ACQUIRE);
  uint64_t previous = 0;
  int is_counted = 0;
  for (uint64_t i = 1; i <= count; i++) {
    uint64_t word = __atomic_load_n(&area[i], __ATOMIC_RELAXED);
    if (word >> 32 == 0xffffffffu) {
      uint64_t block = word >> 3 & EDGES_BLOCK;
      if (!is_counted)
        edges_add(edges, previous << 28 | block, 1);
      previous = block;
      is_counted = 0;
    } else {
      edges_add(edges, word & 0xffffffffffffffu, (unsigned)(word >> 56));
      is_counted = 1;
    }
  }
  return edges->known;
}
#endif
