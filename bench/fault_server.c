/* fault_server DIR: the least that serves a page fault with libfuse's low-level API. Of its two files,
 * each a page long, `kept` stays in the page cache, and `dropped` is invalidated after each READ. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>

#define PAGE 4096
#define KEPT 2
#define DROPPED 3
#define LONG 1e9

static struct fuse_session *session;

static struct stat attributes(fuse_ino_t ino) {
  struct stat stat = {.st_ino = ino, .st_nlink = 1, .st_mode = S_IFDIR | 0755};
  if (ino != FUSE_ROOT_ID) {
    stat.st_mode = S_IFREG | 0600;
    stat.st_size = PAGE;
  }
  return stat;
}

static void on_init(void *user, struct fuse_conn_info *connection) {
  (void)user;
  connection->max_readahead = 0;
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
  (void)parent;
  fuse_ino_t ino = !strcmp(name, "kept") ? KEPT : !strcmp(name, "dropped") ? DROPPED : 0;
  if (!ino) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  struct fuse_entry_param entry = {.ino = ino, .attr_timeout = LONG, .entry_timeout = LONG};
  entry.attr = attributes(ino);
  fuse_reply_entry(request, &entry);
}

static void on_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
  (void)file;
  struct stat stat = attributes(ino);
  fuse_reply_attr(request, &stat, LONG);
}

static void on_open(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
  (void)ino;
  file->keep_cache = 1;
  fuse_reply_open(request, file);
}

static void on_read(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *file) {
  static char page[PAGE];
  (void)file;
  size_t left = offset < PAGE ? PAGE - offset : 0;
  fuse_reply_buf(request, page, size < left ? size : left);
  if (ino == DROPPED)
    fuse_lowlevel_notify_inval_inode(session, ino, 0, PAGE);
}

int main(int argc, char **argv) {
  static const struct fuse_lowlevel_ops operations = {
      .init = on_init,
      .lookup = on_lookup,
      .getattr = on_getattr,
      .open = on_open,
      .read = on_read,
  };
  struct fuse_args args = FUSE_ARGS_INIT(1, argv);
  if (argc != 2)
    return 2;
  session = fuse_session_new(&args, &operations, sizeof operations, NULL);
  if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, argv[1]))
    return 1;
  puts("mounted");
  fflush(stdout);
  fuse_session_loop(session);
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  return 0;
}
