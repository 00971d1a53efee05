/* Random calls that concern mappings, and what is seen in them. */
#include "differences.h"
#include "model.h"

static const char *note_of(const struct mapping *mapping) {
  static char text[96];
  const struct instance *instance = mapping->instance;
  snprintf(text, sizeof text, "[%s %lu+%lu pages of i%d, %lu words%s%s]", mapping->is_shared ? "shared" : "private",
           mapping->first, mapping->pages, instance->number, instance->state == OPENED ? 0 : instance->words,
           mapping->is_locked ? ", locked" : "", instance->is_loose ? ", traced" : "");
  return text;
}

static int has_room(int process) {
  for (int i = 0; i < MAPS; i++)
    if (!processes[process].maps[i])
      return 1;
  return 0;
}

static struct page_state *new_states(unsigned long pages, int prot) {
  struct page_state *states = malloc(pages * sizeof *states);
  for (unsigned long i = 0; i < pages; i++)
    states[i] = (struct page_state){1, prot};
  return states;
}

/* mmap(2)'s checks of a file that has mmap. */
static int map_error(const struct descriptor *descriptor, int prot, int flags) {
  int access = descriptor->instance->access, type = flags & MAP_TYPE;
  if (descriptor->is_path)
    return EBADF;
  if (type == MAP_SHARED && (prot & PROT_WRITE) && access == O_RDONLY)
    return EACCES;
  if (access == O_WRONLY)
    return EACCES;
  return prot & PROT_EXEC ? EPERM : 0;
}

/* As a rule, the whole area; now and then more, less, or a part behind its beginning: see differences.h. */
static void map(int task) {
  static const int prots[] = {PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_WRITE, PROT_NONE, PROT_READ | PROT_EXEC};
  int process = process_of(task), fd = any_fd(process);
  if (fd < 0 || !has_room(process))
    return;
  struct descriptor descriptor = processes[process].fds[fd];
  struct instance *instance = descriptor.instance;
  unsigned long first = one_in(5) ? below(4) : 0, whole = file_pages(instance);
  unsigned long pages = one_in(4) || whole == 0 ? 1 + below(12) : whole;
  if (one_in(100)) {
    EXPECT(CALL(task, "", SYS_mmap, 0, 0, PROT_READ, MAP_SHARED, fd, 0), "nothing is to be mapped", descriptor.is_path ? EBADF : EINVAL);
    EXPECT(CALL(task, "", SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, 8), "it begins within a page", EINVAL);
    return;
  }
  int prot = prots[below(sizeof prots / sizeof *prots)], flags = one_in(4) ? MAP_PRIVATE : MAP_SHARED;
  int populate = one_in(20) && pages < 64 ? MAP_POPULATE : 0;
  struct mapping mapping = {.instance = instance, .pages = pages, .first = first, .is_shared = flags == MAP_SHARED};
  mapping.may_write = flags == MAP_PRIVATE || instance->access == O_RDWR;
  struct outcome mapped = CALL(task, note_of(&mapping), SYS_mmap, 0, pages * PAGE, prot, flags | populate, fd, first * PAGE);
  int error = map_error(&descriptor, prot, flags);
  EXPECT(mapped, "by the way it was opened", error);
  if (error)
    return;
  mapping.at = (char *)mapped.result;
  mapping.states = new_states(pages, prot);
  if (!mapping.is_shared)
    mapping.copies = calloc(pages, sizeof *mapping.copies);
  struct mapping *made = add_mapping(process, mapping);
  for (unsigned long page = 0; populate && !made->is_shared && page < pages; page++)
    if ((prot & PROT_WRITE) && has_file_page(made, page))
      copy_page(made, page);
}

static void unmap_pages(struct mapping *mapping, unsigned long from, unsigned long count) {
  for (unsigned long page = from; page < from + count; page++) {
    mapping->states[page].is_mapped = 0;
    if (mapping->copies) {
      free(mapping->copies[page]);
      mapping->copies[page] = NULL;
    }
  }
}

static int is_empty(const struct mapping *mapping) {
  for (unsigned long page = 0; page < mapping->pages; page++)
    if (mapping->states[page].is_mapped)
      return 0;
  return 1;
}

/* Some pages in a row; returns how many. */
static unsigned long some_pages(const struct mapping *mapping, unsigned long *from) {
  *from = one_in(2) ? 0 : below(mapping->pages);
  return one_in(2) ? mapping->pages - *from : 1 + below(mapping->pages - *from);
}

static void unmap(int task, struct mapping *mapping) {
  unsigned long from, count = some_pages(mapping, &from);
  /* An address that was unmapped before may be another mapping now. */
  while (from < mapping->pages && !mapping->states[from].is_mapped)
    from++;
  for (unsigned long page = 0; page < count; page++)
    if (from + page == mapping->pages || !mapping->states[from + page].is_mapped)
      count = page;
  if (count == 0)
    return;
  EXPECT(CALL(task, note_of(mapping), SYS_munmap, (long)mapping->at + from * PAGE, count * PAGE), "it is mapped", 0);
  unmap_pages(mapping, from, count);
  mapping->was_split = 1;
  if (is_empty(mapping))
    remove_mapping(process_of(task), mapping);
}

/* Whether a mapping is of one piece to the kernel. */
static int is_uniform(const struct mapping *mapping) {
  for (unsigned long page = 0; page < mapping->pages; page++)
    if (!mapping->states[page].is_mapped || mapping->states[page].prot != mapping->states[0].prot)
      return 0;
  return 1;
}

static void resize(struct mapping *mapping, unsigned long pages) {
  int prot = mapping->states[0].prot;
  if (pages < mapping->pages)
    unmap_pages(mapping, pages, mapping->pages - pages);
  mapping->states = realloc(mapping->states, pages * sizeof *mapping->states);
  if (mapping->copies)
    mapping->copies = realloc(mapping->copies, pages * sizeof *mapping->copies);
  for (unsigned long page = mapping->pages; page < pages; page++) {
    mapping->states[page] = (struct page_state){1, prot};
    if (mapping->copies)
      mapping->copies[page] = NULL;
  }
  mapping->pages = pages;
}

static void remap(int task, struct mapping *mapping) {
  if (mapping->was_split || mapping->is_locked || mapping->is_left_out_of_forks || mapping->pages > 64)
    return;
  unsigned long size = mapping->pages * PAGE, wanted = 1 + below(2 * mapping->pages);
  if (one_in(3)) {
    /* Twice the same. */
    if (!has_room(process_of(task)))
      return;
    struct outcome twin = CALL(task, note_of(mapping), SYS_mremap, (long)mapping->at, 0, size, MREMAP_MAYMOVE);
    if (!mapping->is_shared) {
      EXPECT(twin, "it is private", EINVAL);
      return;
    }
    expect_difference(twin, EXPANSION);
    struct mapping copy = *mapping;
    copy.at = (char *)twin.result;
    copy.states = new_states(mapping->pages, mapping->states[0].prot);
    add_mapping(process_of(task), copy);
    return;
  }
  struct outcome moved = CALL(task, note_of(mapping), SYS_mremap, (long)mapping->at, size, wanted * PAGE, MREMAP_MAYMOVE);
  if (wanted > mapping->pages)
    expect_difference(moved, EXPANSION);
  else
    EXPECT(moved, "it becomes no larger", 0);
  resize(mapping, wanted);
  mapping->at = (char *)moved.result;
}

static void protect(int task, struct mapping *mapping) {
  static const int prots[] = {PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC};
  if (!is_uniform(mapping) && one_in(2))
    return;
  unsigned long from, count = some_pages(mapping, &from);
  for (unsigned long page = from; page < from + count; page++)
    if (!mapping->states[page].is_mapped)
      return;
  int prot = prots[below(sizeof prots / sizeof *prots)];
  struct outcome outcome = CALL(task, note_of(mapping), SYS_mprotect, (long)mapping->at + from * PAGE, count * PAGE, prot);
  if ((prot & PROT_EXEC) || ((prot & PROT_WRITE) && !mapping->may_write)) {
    EXPECT(outcome, "it may not be mapped so", EACCES);
    return;
  }
  EXPECT(outcome, "it may be mapped so", 0);
  mapping->was_split |= count != mapping->pages;
  for (unsigned long page = from; page < from + count; page++)
    mapping->states[page].prot = prot;
}

static void sync_pages(int task, struct mapping *mapping) {
  static const int flags[] = {MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE, MS_INVALIDATE};
  int flag = flags[below(4)];
  if (!is_uniform(mapping))
    return;
  struct outcome outcome = CALL(task, note_of(mapping), SYS_msync, (long)mapping->at, mapping->pages * PAGE, flag);
  if ((flag & MS_INVALIDATE) && mapping->is_locked)
    EXPECT(outcome, "it is locked", EBUSY);
  else if ((flag & MS_SYNC) && mapping->is_shared && mapping->may_write)
    expect_difference(outcome, options.direct ? SYNC_OF_MEMORY : SYNC);
  else
    EXPECT(outcome, "nothing is to be done", 0);
}

static int is_whole(const struct mapping *mapping) {
  for (unsigned long page = 0; page < mapping->pages; page++)
    if (!has_file_page(mapping, page))
      return 0;
  return 1;
}

static void lock(int task, struct mapping *mapping) {
  if (!is_uniform(mapping) || mapping->pages > 64 || left_out("mlock"))
    return;
  if (mapping->is_locked) {
    EXPECT(CALL(task, note_of(mapping), SYS_munlock, (long)mapping->at, mapping->pages * PAGE), "it is mapped", 0);
    mapping->is_locked = 0;
    return;
  }
  int prot = mapping->states[0].prot;
  if (!is_whole(mapping) || !(prot & PROT_READ))
    return;
  EXPECT(CALL(task, note_of(mapping), SYS_mlock, (long)mapping->at, mapping->pages * PAGE), "all its pages can be had", 0);
  mapping->is_locked = 1;
  for (unsigned long page = 0; mapping->copies && (prot & PROT_WRITE) && page < mapping->pages; page++)
    copy_page(mapping, page);
}

static void drop_copies(struct mapping *mapping) {
  for (unsigned long page = 0; mapping->copies && page < mapping->pages; page++) {
    free(mapping->copies[page]);
    mapping->copies[page] = NULL;
  }
}

static void populate(int task, struct mapping *mapping, int advice) {
  int prot = mapping->states[0].prot, wanted = advice == MADV_POPULATE_WRITE ? PROT_WRITE : PROT_READ;
  if (mapping->pages > 64 || (prot == PROT_WRITE && wanted == PROT_READ))
    return;
  struct outcome outcome = CALL(task, note_of(mapping), SYS_madvise, (long)mapping->at, mapping->pages * PAGE, advice);
  if (!(prot & wanted)) {
    EXPECT(outcome, "it is mapped otherwise", EINVAL);
    return;
  }
  EXPECT(outcome, "pages behind the area's end cannot be had", is_whole(mapping) ? 0 : EFAULT);
  for (unsigned long page = 0; mapping->copies && wanted == PROT_WRITE && page < mapping->pages && has_file_page(mapping, page); page++)
    copy_page(mapping, page);
}

static void empty_pages(struct mapping *mapping) {
  struct instance *instance = mapping->instance;
  for (unsigned long page = mapping->first; page < mapping->first + mapping->pages && page < file_pages(instance); page++) {
    free(instance->pages[page]);
    instance->pages[page] = NULL;
  }
}

/* A hole is made in the area where that cannot be refused: see differences.h. */
static void remove_pages(int task, struct mapping *mapping) {
  struct outcome outcome = CALL(task, note_of(mapping), SYS_madvise, (long)mapping->at, mapping->pages * PAGE, MADV_REMOVE);
  if (mapping->is_locked)
    EXPECT(outcome, "it is locked", EINVAL);
  else if (!mapping->is_shared || !mapping->may_write)
    EXPECT(outcome, "it may not be written", EACCES);
  else if (!options.direct)
    EXPECT(outcome, "kcov has no fallocate", EOPNOTSUPP);
  else {
    expect_difference(outcome, REMOVAL);
    empty_pages(mapping);
  }
}

static void advise(int task, struct mapping *mapping) {
  static const int harmless[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTDUMP, MADV_DODUMP};
  static const int others[] = {MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE};
  if (!is_uniform(mapping))
    return;
  long at = (long)mapping->at, size = mapping->pages * PAGE;
  const char *note = note_of(mapping);
  switch (below(11)) {
  case 0:
    EXPECT(CALL(task, note, SYS_madvise, at, size, MADV_DONTNEED), "unless it is locked", mapping->is_locked ? EINVAL : 0);
    if (!mapping->is_locked)
      drop_copies(mapping);
    return;
  case 1:
    if (!left_out("remove"))
      remove_pages(task, mapping);
    return;
  case 2:
    if (mapping->pages <= 64)
      EXPECT(CALL(task, note, SYS_madvise, at, size, MADV_WILLNEED), "it is a hint", 0);
    return;
  case 3:
    EXPECT(CALL(task, note, SYS_madvise, at, size, one_in(2) ? MADV_COLD : MADV_PAGEOUT), "it is a hint", mapping->is_locked ? EINVAL : 0);
    return;
  case 4:
    EXPECT(CALL(task, note, SYS_madvise, at, size, MADV_FREE), "it is a file's", EINVAL);
    return;
  case 5:
    EXPECT(CALL(task, note, SYS_madvise, at, size, MADV_WIPEONFORK), "it is a file's", EINVAL);
    return;
  case 6:
    mapping->is_left_out_of_forks ^= 1;
    EXPECT(CALL(task, note, SYS_madvise, at, size, mapping->is_left_out_of_forks ? MADV_DONTFORK : MADV_DOFORK), "forks may have it or not", 0);
    return;
  case 7:
  case 8:
    populate(task, mapping, one_in(2) ? MADV_POPULATE_READ : MADV_POPULATE_WRITE);
    return;
  case 9:
    EXPECT(CALL(task, note, SYS_madvise, at, size, harmless[below(5)]), "it is a hint", 0);
    return;
  default:
    EXPECT(CALL(task, note, SYS_madvise, at, size, others[below(4)]), "the kernel may have it or not", 0, EINVAL);
  }
}

void map_step(int task) {
  struct mapping *mapping = any_mapping(process_of(task));
  if (!mapping || one_in(4))
    map(task);
  else if (one_in(3))
    unmap(task, mapping);
  else if (one_in(4))
    remap(task, mapping);
  else if (one_in(3))
    protect(task, mapping);
  else if (one_in(3))
    sync_pages(task, mapping);
  else if (one_in(4))
    lock(task, mapping);
  else
    advise(task, mapping);
}

/* Whether a word of an instance that targets write into may have come to be this. */
static int may_be(struct instance *instance, uint64_t index, uint64_t value) {
  uint64_t known = word_of(instance, index);
  if (value == known)
    return 1;
  if (!instance->is_loose)
    return 0;
  if (index == 0)
    return value > known && value < instance->words;
  return instance->compares || (value >> 31 == 0x1ffffffff && value % 8 == 0);
}

/* Compares a word of an area that was seen with the model's. */
void check_area(struct instance *instance, uint64_t index, uint64_t value) {
  if (!may_be(instance, index, value))
    differs("word %lu is 0x%lx, the model says 0x%lx", index, value, word_of(instance, index));
  if (instance->is_loose)
    set_word(instance, index, value);
}

/* The same of what was seen in a mapping. */
static void check_word(struct mapping *mapping, uint64_t word, uint64_t value) {
  struct instance *instance = mapping->instance;
  uint64_t page = word / PAGE_WORDS, index = mapping->first * PAGE_WORDS + word;
  /* Memory behind the end belongs to nobody. */
  if (index >= instance->words)
    return;
  uint64_t *copy = mapping->copies ? mapping->copies[page] : NULL;
  if (copy) {
    if (copy[word % PAGE_WORDS] != value && !instance->was_loose)
      differs("word %lu, the process's own, is 0x%lx, the model says 0x%lx", index, value, copy[word % PAGE_WORDS]);
    return;
  }
  check_area(instance, index, value);
}

/* The outcome of touching a page: 0 or a signal. */
static int touch_error(const struct mapping *mapping, unsigned long page, int wanted) {
  const struct page_state *state = &mapping->states[page];
  int allowed = state->prot & PROT_WRITE ? state->prot | PROT_READ : state->prot;
  if (!state->is_mapped || !(allowed & wanted))
    return -SIGSEGV;
  if (mapping->copies && mapping->copies[page])
    return 0;
  return has_file_page(mapping, page) ? 0 : -SIGBUS;
}

/* A word of a page that is not unmapped; or NO_WORD. */
#define NO_WORD (~0ul)
static uint64_t some_word(const struct mapping *mapping) {
  uint64_t page = one_in(3) ? 0 : below(mapping->pages), most = PAGE_WORDS;
  if (!mapping->states[page].is_mapped)
    return NO_WORD;
  return page * PAGE_WORDS + (one_in(3) ? below(4) : one_in(2) ? most - 1 - below(4) : below(most));
}

static void load(int task, struct mapping *mapping) {
  uint64_t word = some_word(mapping);
  if (word == NO_WORD)
    return;
  struct outcome outcome = CALL(task, note_of(mapping), LOAD, (long)mapping->at + word * 8);
  int error = touch_error(mapping, word / PAGE_WORDS, PROT_READ);
  EXPECT(outcome, "by page", error);
  if (!error)
    check_word(mapping, word, outcome.result);
}

static void store(int task, struct mapping *mapping) {
  uint64_t word = some_word(mapping), page = word / PAGE_WORDS, index = mapping->first * PAGE_WORDS + word;
  uint64_t value = index == 0 ? (one_in(3) ? random_bits() : below(20)) : random_bits();
  struct instance *instance = mapping->instance;
  if (word == NO_WORD)
    return;
  struct outcome outcome = CALL(task, note_of(mapping), STORE, (long)mapping->at + word * 8, value);
  int error = touch_error(mapping, page, PROT_WRITE);
  EXPECT(outcome, "by page", error);
  if (error)
    return;
  if (mapping->copies) {
    copy_page(mapping, page);
    mapping->copies[page][word % PAGE_WORDS] = value;
  } else if (index < instance->words) {
    set_word(instance, index, value);
  }
}

/* Looks at all words of a mapping. */
static void scan(int task, struct mapping *mapping) {
  unsigned long words = mapping->pages * PAGE_WORDS;
  if (words * 8 > SCRATCH)
    words = SCRATCH / 8;
  for (unsigned long page = 0; page < words / PAGE_WORDS; page++)
    if (touch_error(mapping, page, PROT_READ))
      words = page * PAGE_WORDS;
  if (words == 0)
    return;
  EXPECT(CALL(task, note_of(mapping), COPY, (long)mapping->at, words), "it can be read", 0);
  for (unsigned long word = 0; word < words; word++)
    check_word(mapping, word, ((uint64_t *)SHARED->scratch)[word]);
  struct instance *instance = mapping->instance;
  if (instance->is_settled && instance->owner == NOBODY && mapping->is_shared && mapping->first == 0 && words >= instance->words)
    instance->is_loose = 0;
}

void memory_step(int task) {
  struct mapping *mapping = any_mapping(process_of(task));
  if (!mapping)
    return;
  if (one_in(5))
    scan(task, mapping);
  else if (one_in(2))
    load(task, mapping);
  else
    store(task, mapping);
}
