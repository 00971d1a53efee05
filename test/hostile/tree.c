/* Random calls on the names of the mounted tree. None of them changes it. */
#include "differences.h"
#include "model.h"
#include <dirent.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>

enum kind { NOTHING, DIRECTORY, DEVICE, TEXT, LINK, UNDER_FILE, UNDER_NOTHING };

/* The entries of the tree, and names that are none. */
static const struct place { const char *name; enum kind kind; } places[] = {
    {"/.", DIRECTORY}, {"/kcov", DEVICE}, {"/kcov", DEVICE}, {"/kcov.d", DIRECTORY}, {"/kcovfs", DIRECTORY},
    {"/kcovfs/targets", TEXT}, {"/kcovfs/symbols", TEXT}, {"/kcovfs/metrics", TEXT}, {"/kcovfs/socket", LINK},
    {"/missing", NOTHING}, {"/kcov.d/missing", NOTHING}, {"/kcovfs/missing", NOTHING}, {"/kcov/x", UNDER_FILE},
    {"/kcovfs/targets/x", UNDER_FILE}, {"/missing/x", UNDER_NOTHING}};

/* The folder that is mounted is named so that no call means its name in the folder around it. */
static int is_root(const struct place *place) { return place->name[1] == '.'; }

static const struct place *any_place(void) { return &places[below(sizeof places / sizeof *places)]; }

/* Puts a path into the scratch memory. */
static long put(int where, const struct place *place) {
  char *at = SHARED->scratch + where * PATH_MAX;
  snprintf(at, PATH_MAX, "%s%s", options.mount, place->name);
  return (long)at;
}

/* The error that a path alone gives, before it is known what is wanted; 0 for none. */
static int path_error(const struct place *place) {
  return place->kind == UNDER_FILE ? ENOTDIR : place->kind == UNDER_NOTHING ? ENOENT : 0;
}

/* The same where something must be there. */
static int found_error(const struct place *place) {
  return place->kind == NOTHING ? ENOENT : path_error(place);
}

static void create(int task) {
  const struct place *place = any_place();
  long path = put(0, place), other = (long)strcpy(SHARED->scratch + PATH_MAX, "/nowhere");
  struct outcome outcome;
  switch (below(5)) {
  case 0: outcome = CALL(task, place->name, SYS_mkdirat, AT_FDCWD, path, 0755); break;
  case 1: outcome = CALL(task, place->name, SYS_mknodat, AT_FDCWD, path, (one_in(2) ? S_IFREG : S_IFIFO) | 0600, 0); break;
  case 2: outcome = CALL(task, place->name, SYS_symlinkat, other, AT_FDCWD, path); break;
  case 3:
    outcome = CALL(task, place->name, SYS_openat, AT_FDCWD, path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    break;
  default:
    outcome = CALL(task, place->name, SYS_linkat, AT_FDCWD, put(1, &places[1]), AT_FDCWD, path, 0);
  }
  if (path_error(place))
    EXPECT(outcome, "its folder is none", path_error(place));
  else if (place->kind != NOTHING)
    EXPECT(outcome, "it is there", EEXIST);
  else
    expect_difference(outcome, CREATING);
}

static void remove_name(int task) {
  const struct place *place = any_place();
  int is_rmdir = one_in(2), is_directory = place->kind == DIRECTORY;
  struct outcome outcome = CALL(task, place->name, SYS_unlinkat, AT_FDCWD, put(0, place), is_rmdir ? AT_REMOVEDIR : 0);
  if (found_error(place))
    EXPECT(outcome, "it is not there", found_error(place));
  else if (is_root(place))
    EXPECT(outcome, "it is the folder itself", EISDIR, EINVAL);
  else if (is_directory != is_rmdir)
    EXPECT(outcome, "it is another kind", is_directory ? EISDIR : ENOTDIR);
  else
    expect_difference(outcome, CREATING);
}

static void rename_name(int task) {
  const struct place *from = any_place(), *to = any_place();
  static const int flags[] = {0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
  int flag = flags[below(4)];
  struct outcome outcome = CALL(task, from->name, SYS_renameat2, AT_FDCWD, put(0, from), AT_FDCWD, put(1, to), flag);
  if (is_root(from) || is_root(to))
    EXPECT(outcome, "it is the folder itself", EBUSY, ENOENT, ENOTDIR, EEXIST);
  else if (from == to && !found_error(from) && flag != RENAME_NOREPLACE)
    EXPECT(outcome, "it is called so", 0, EPERM, EINVAL);
  else
    EXPECT(outcome, "nothing can be renamed", EPERM, ENOENT, ENOTDIR, EEXIST, EISDIR, EINVAL, ENOTEMPTY);
}

static void change(int task) {
  const struct place *place = any_place();
  long path = put(0, place);
  struct outcome outcome;
  unsigned long what = below(4);
  switch (what) {
  case 0: outcome = CALL(task, place->name, SYS_chmod, path, 0777); break;
  case 1: outcome = CALL(task, place->name, SYS_chown, path, 1, 1); break;
  case 2: outcome = CALL(task, place->name, SYS_truncate, path, 8 * below(3)); break;
  default: outcome = CALL(task, place->name, SYS_utimensat, AT_FDCWD, path, 0, 0);
  }
  if (place->kind == LINK)
    return;
  if (found_error(place))
    EXPECT(outcome, "it is not there", found_error(place));
  else if (what == 2)
    EXPECT(outcome, "it cannot be cut", place->kind == DIRECTORY ? EISDIR : EINVAL, place->kind == DIRECTORY ? EISDIR : EACCES, place->kind == DIRECTORY ? EISDIR : 0);
  else if (what == 3)
    expect_difference(outcome, TOUCHING);
  else
    expect_difference(outcome, CHANGING);
}

static void attributes(int task) {
  const struct place *place = any_place();
  int is_list = one_in(2);
  long path = put(0, place), name = (long)strcpy(SHARED->scratch + PATH_MAX, is_list ? "system.posix_acl_access" : "user.x");
  long value = (long)SHARED->scratch + 2 * PATH_MAX;
  struct outcome outcome;
  unsigned long what = below(4);
  switch (what) {
  case 0: outcome = CALL(task, place->name, SYS_setxattr, path, name, value, 4, 0); break;
  case 1: outcome = CALL(task, place->name, SYS_getxattr, path, name, value, 100); break;
  case 2: outcome = CALL(task, place->name, SYS_removexattr, path, name); break;
  default: outcome = CALL(task, place->name, SYS_listxattr, path, value, 100);
  }
  if (place->kind == LINK)
    return;
  if (found_error(place))
    EXPECT(outcome, "it is not there", found_error(place));
  else if (what == 3)
    expect_difference(outcome, ATTRIBUTES);
  else if (what == 2 || (what == 0 && !is_list))
    expect_difference(outcome, GIVING);
  else
    EXPECT(outcome, "it has no attributes", EOPNOTSUPP, is_list ? ENODATA : EOPNOTSUPP);
}

static void look(int task) {
  const struct place *place = any_place();
  long path = put(0, place), buffer = (long)SHARED->scratch + PATH_MAX;
  struct statfs *room = (struct statfs *)(SHARED->scratch + PATH_MAX);
  struct outcome outcome;
  switch (below(5)) {
  case 0:
    outcome = CALL(task, place->name, SYS_newfstatat, AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW);
    break;
  case 1:
    outcome = CALL(task, place->name, SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | (one_in(2) ? AT_STATX_FORCE_SYNC : 0), 0x7ff, buffer);
    break;
  case 2:
    outcome = CALL(task, place->name, SYS_readlink, path, buffer, 100);
    if (!found_error(place)) {
      EXPECT(outcome, "by what it is", place->kind == LINK ? 0 : EINVAL);
      return;
    }
    break;
  case 3:
    if (place->kind == LINK)
      return;
    outcome = CALL(task, place->name, SYS_statfs, path, buffer);
    if (outcome.error == 0 && room->f_type != 0x65735546)
      differs("a filesystem of type 0x%lx, the model says FUSE", (long)room->f_type);
    break;
  default:
    if (place->kind == LINK)
      return;
    outcome = CALL(task, place->name, SYS_access, path, below(2) * R_OK | below(2) * W_OK);
  }
  EXPECT(outcome, "by what is there", found_error(place));
}

/* Opens, in ways that the device's own opens do not. */
static void open_name(int task) {
  static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_DIRECTORY, O_TMPFILE | O_RDWR, O_RDONLY | O_TRUNC, O_RDWR | O_CREAT, O_PATH, O_RDONLY | O_NOFOLLOW};
  const struct place *place = any_place();
  int flag = flags[below(9)];
  if (place->kind == DEVICE && !(flag & O_DIRECTORY))
    return;
  struct outcome outcome = CALL(task, place->name, SYS_openat, AT_FDCWD, put(0, place), flag | O_CLOEXEC, 0600);
  int is_plain = flag == O_RDONLY || flag == O_PATH || flag == (O_RDONLY | O_NOFOLLOW);
  if (path_error(place))
    EXPECT(outcome, "its folder is none", path_error(place));
  else if (is_plain && place->kind != LINK)
    EXPECT(outcome, "by what is there", found_error(place));
  else if (place->kind == NOTHING && (flag & O_CREAT))
    expect_difference(outcome, CREATING);
  else if (place->kind == DIRECTORY && flag == (O_RDONLY | O_DIRECTORY))
    EXPECT(outcome, "it is a folder", 0);
  else if (place->kind == TEXT && flag == (O_RDONLY | O_TRUNC))
    EXPECT(outcome, "there is nothing to cut", 0, EACCES);
  else if (place->kind != LINK)
    EXPECT(outcome, "it cannot be opened so", EACCES, EISDIR, ENOTDIR, ENOENT, EOPNOTSUPP, EPERM, EROFS);
  if (outcome.error == 0)
    EXPECT(CALL(task, place->name, SYS_close, outcome.result), "it is open", 0);
}

/* Reads a folder, from its beginning and from where it was told before that one may go on, and from elsewhere. */
static void list(int task) {
  static const struct place folders[] = {{"", DIRECTORY}, {"/kcov.d", DIRECTORY}, {"/kcovfs", DIRECTORY}};
  static const long odd[] = {1, 2, 3, 7, 1000, 1l << 32, 1l << 53, LONG_MAX};
  const struct place *place = &folders[below(3)];
  struct outcome outcome = CALL(task, place->name, SYS_openat, AT_FDCWD, put(0, place), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  EXPECT(outcome, "it is a folder", 0);
  int fd = outcome.result, found = 0;
  for (unsigned long turn = below(6); turn > 0; turn--) {
    long offset = one_in(2) ? 0 : odd[below(left_out("far") ? 6 : 8)], size = one_in(2) ? 4096 : 24 + below(100);
    outcome = CALL(task, place->name, SYS_lseek, fd, offset, SEEK_SET);
    EXPECT(outcome, "a folder can be sought in", 0, EINVAL, EOVERFLOW);
    outcome = CALL(task, place->name, SYS_getdents64, fd, (long)SHARED->scratch, size);
    EXPECT(outcome, "a folder can be read", 0, EINVAL, EOVERFLOW);
    if (offset != 0 || size != 4096)
      continue;
    found = 0;
    for (long at = 0; at < outcome.result; found++) {
      struct dirent64 *entry = (struct dirent64 *)(SHARED->scratch + at);
      at += entry->d_reclen;
    }
    int most = place == &folders[0] ? 5 : place == &folders[1] ? 2 + !!options.target : 6;
    if (found != most)
      differs("%d names, the model says %d", found, most);
  }
  EXPECT(CALL(task, place->name, SYS_fsync, fd), "a folder may be synchronised", 0, EINVAL);
  EXPECT(CALL(task, place->name, SYS_ioctl, fd, KCOV_INIT_TRACE, 64), "it is no device", ENOTTY);
  EXPECT(CALL(task, place->name, SYS_close, fd), "it is open", 0);
}

static void read_text(int task) {
  static const struct place texts[] = {{"/kcovfs/targets", TEXT}, {"/kcovfs/metrics", TEXT}};
  const struct place *place = &texts[below(2)];
  struct outcome outcome = CALL(task, place->name, SYS_openat, AT_FDCWD, put(0, place), O_RDONLY | O_CLOEXEC);
  EXPECT(outcome, "it is a file", 0);
  int fd = outcome.result;
  EXPECT(CALL(task, place->name, SYS_pread64, fd, (long)SHARED->scratch, 1 + below(10000), one_in(2) ? 0 : below(1000)), "it can be read", 0);
  EXPECT(CALL(task, place->name, SYS_write, fd, (long)SHARED->scratch, 1), "it was opened to be read", EBADF);
  EXPECT(CALL(task, place->name, SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), "it was opened to be read", EACCES);
  EXPECT(CALL(task, place->name, SYS_ioctl, fd, KCOV_ENABLE, 0), "it is no device", ENOTTY);
  EXPECT(CALL(task, place->name, SYS_close, fd), "it is open", 0);
}

static void watch(int task) {
  const struct place *place = any_place();
  struct outcome made = CALL(task, "", SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK);
  EXPECT(made, "it can be had", 0, EMFILE);
  if (made.error)
    return;
  struct outcome outcome = CALL(task, place->name, SYS_inotify_add_watch, made.result, put(0, place), IN_ALL_EVENTS);
  if (place->kind != LINK)
    EXPECT(outcome, "anything can be watched that is there", found_error(place));
  EXPECT(CALL(task, "", SYS_close, made.result), "it is open", 0);
}

void tree_step(int task) {
  switch (below(10)) {
  case 0: create(task); return;
  case 1: remove_name(task); return;
  case 2: rename_name(task); return;
  case 3: change(task); return;
  case 4: attributes(task); return;
  case 5: open_name(task); return;
  case 6: list(task); return;
  case 7: read_text(task); return;
  case 8: watch(task); return;
  default: look(task);
  }
}
