/* A target that only this worker drives: what an instance is told of a request is the same each time. */
#include "model.h"

enum { REQUESTS = 16, MOST = 4000 };

/* The blocks that the first request of a number was seen to execute; `count` 0 if none was. */
static struct { uint64_t count, pcs[MOST]; } known[REQUESTS];

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Whether an instance is told of this worker's target, and of nothing else. */
static int sees_target_alone(const struct instance *instance) {
  if (instance->state != ENABLED || instance->compares || !instance->is_loose || instance->words < 512)
    return 0;
  if (instance->handle_count == 0)
    return instance->is_targets && !instance->is_remote;
  return instance->handle_count == 1 && (instance->handles[0] & 0xffffffff) == (uint64_t)options.number;
}

static int is_whole_and_open(const struct mapping *mapping) {
  for (unsigned long page = 0; page < mapping->pages; page++)
    if (!mapping->states[page].is_mapped || mapping->states[page].prot != (PROT_READ | PROT_WRITE))
      return 0;
  return mapping->is_shared && mapping->first == 0 && mapping->pages >= file_pages(mapping->instance);
}

static void compare_with_known(int request, uint64_t *words) {
  uint64_t count = words[0], *pcs = words + 1;
  if (count == 0)
    differs("request %d has executed nothing", request);
  /* The collector of counts tells each block once, in no order. */
  if (!options.compares)
    qsort(pcs, count, sizeof *pcs, compare);
  if (known[request].count == 0) {
    known[request].count = count;
    memcpy(known[request].pcs, pcs, count * sizeof *pcs);
    return;
  }
  if (count != known[request].count)
    differs("request %d has executed %lu blocks, and %lu before", request, count, known[request].count);
  for (uint64_t i = 0; i < count; i++)
    if (pcs[i] != known[request].pcs[i])
      differs("block %lu of request %d is 0x%lx, and was 0x%lx", i, request, pcs[i], known[request].pcs[i]);
}

/* Resets, sends a request, and compares what has come with what came before. */
void target_step(int task) {
  struct mapping *mapping = any_mapping(process_of(task));
  int request = below(REQUESTS);
  static int has_begun;
  if (!options.target || worker_number != 0)
    return;
  /* Connecting is something that the target executes, too. */
  for (int i = 0; !has_begun && i < 2 * REQUESTS; i++)
    drive(i % REQUESTS);
  has_begun = 1;
  if (!mapping || !is_whole_and_open(mapping) || !sees_target_alone(mapping->instance)) {
    if (one_in(4))
      drive(request);
    return;
  }
  struct instance *instance = mapping->instance;
  CALL(task, "[a reset]", STORE, (long)mapping->at, 0);
  set_word(instance, 0, 0);
  drive(request);
  EXPECT(CALL(task, "[what it executed]", COPY, (long)mapping->at, instance->words), "it can be read", 0);
  uint64_t *words = (uint64_t *)SHARED->scratch;
  for (uint64_t i = 0; i < instance->words; i++)
    check_area(instance, i, words[i]);
  if (words[0] < instance->words - 1 && words[0] < MOST)
    compare_with_known(request, words);
}
