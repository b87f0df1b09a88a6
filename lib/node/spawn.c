// convergence-spawn: runs one program for a host that has threads and so cannot fork. It becomes the parent of all that
// the program leaves behind (a subreaper), which is how it can end every descendant, whatever sessions or groups they
// made for themselves. One thread, so that it may fork. spawn_protocol.h says how it is spoken to.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/node/spawn_protocol.h"

enum { kKillPauseMs = 20, kMaxRequest = 1 << 26 };

struct failure {
  int error;
  char stage[20];
};

struct job {
  struct spawn_request request;
  char* program;
  char* directory;
  char* user;
  char** arguments;
  char** variables;
  // Only with another user than the caller's.
  bool changes_user;
  uid_t uid;
  gid_t gid;
  gid_t* groups;
  int group_count;
};

static void tell(enum spawn_kind kind, int value, int error, const char* stage) {
  struct spawn_message message;
  memset(&message, 0, sizeof message);
  message.kind = (int32_t)kind;
  message.value = value;
  message.error = error;
  strncpy(message.stage, stage, sizeof message.stage - 1);
  // Small enough never to block; a caller that has gone is noticed by poll().
  (void)send(SPAWN_CONTROL, &message, sizeof message, MSG_NOSIGNAL);
}

static void fail(const char* stage, int error) {
  tell(SPAWN_FAILED, 0, error, stage);
  _exit(1);
}

static bool read_fully(void* into, size_t size) {
  char* at = into;
  while (size > 0) {
    const ssize_t got = read(SPAWN_CONTROL, at, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= (size_t)got;
  }
  return true;
}

// ---- the request

static char* next_text(char** at, const char* end) {
  char* text = *at;
  char* nul = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;
  if (nul == NULL) fail("request", EPROTO);
  *at = nul + 1;
  return text;
}

static char** next_texts(char** at, const char* end, uint32_t count) {
  char** list = calloc((size_t)count + 1, sizeof *list);
  if (list == NULL) fail("request", ENOMEM);
  for (uint32_t i = 0; i < count; ++i) list[i] = next_text(at, end);
  return list;
}

static void read_request(struct job* job) {
  if (!read_fully(&job->request, sizeof job->request)) _exit(1);
  const struct spawn_request* request = &job->request;
  if (request->version != SPAWN_VERSION || request->size > kMaxRequest || request->arguments > request->size ||
      request->variables > request->size || request->limits > sizeof request->limit / sizeof request->limit[0]) {
    fail("request", EPROTO);
  }
  char* texts = malloc((size_t)request->size + 1);
  if (texts == NULL) fail("request", ENOMEM);
  if (!read_fully(texts, request->size)) _exit(1);
  char* at = texts;
  const char* end = texts + request->size;
  job->program = next_text(&at, end);
  job->directory = next_text(&at, end);
  job->user = next_text(&at, end);
  job->arguments = next_texts(&at, end, request->arguments);
  job->variables = next_texts(&at, end, request->variables);
}

static void find_user(struct job* job) {
  if (job->user[0] == '\0') return;
  errno = 0;
  const struct passwd* entry = getpwnam(job->user);
  if (entry == NULL) fail("user", errno == 0 ? ENOENT : errno);
  if (entry->pw_uid == geteuid() && entry->pw_uid == getuid() && entry->pw_uid != 0) return;
  if (geteuid() != 0) fail("user", EPERM);
  job->changes_user = true;
  job->uid = entry->pw_uid;
  job->gid = entry->pw_gid;
  int count = 64;
  while (true) {
    free(job->groups);
    job->groups = malloc((size_t)count * sizeof *job->groups);
    if (job->groups == NULL) fail("user", ENOMEM);
    const int room = count;
    if (getgrouplist(job->user, job->gid, job->groups, &count) >= 0) break;
    if (count <= room) count = room * 2;
    if (count > NGROUPS_MAX) fail("user", E2BIG);
  }
  job->group_count = count;
}

// ---- the program's own process, up to exec

static void child_fails(int status, const char* stage, int error) {
  struct failure failure;
  memset(&failure, 0, sizeof failure);
  failure.error = error;
  strncpy(failure.stage, stage, sizeof failure.stage - 1);
  (void)!write(status, &failure, sizeof failure);
  _exit(127);
}

static void run_child(const struct job* job, int status, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (setsid() < 0) child_fails(status, "session", errno);
  for (uint32_t i = 0; i < job->request.limits; ++i) {
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)job->request.limit[i].resource, &limit) != 0)
      child_fails(status, "limits", errno);
    const rlim_t wanted = job->request.limit[i].value;
    // Without privileges a limit that is narrower already stays: it is in force, which is what was asked for.
    if (limit.rlim_max != RLIM_INFINITY && wanted > limit.rlim_max && geteuid() != 0) continue;
    limit.rlim_cur = wanted;
    limit.rlim_max = wanted;
    if (setrlimit((__rlimit_resource_t)job->request.limit[i].resource, &limit) != 0)
      child_fails(status, "limits", errno);
  }
  if (job->changes_user) {
    if (setgroups((size_t)job->group_count, job->groups) != 0) child_fails(status, "groups", errno);
    if (setresgid(job->gid, job->gid, job->gid) != 0) child_fails(status, "group", errno);
    if (setresuid(job->uid, job->uid, job->uid) != 0) child_fails(status, "user", errno);
  }
  // After the change of user, which clears it. The session of this process ends with the helper, come what may.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  umask((mode_t)job->request.umask);
  if (chdir(job->directory) != 0) child_fails(status, "directory", errno);
  tell(SPAWN_STARTED, getpid(), 0, "");
  // A file that another thread of the host is writing is open in the processes it starts, for a moment.
  for (int attempt = 0; attempt < 100; ++attempt) {
    execve(job->program, job->arguments, job->variables);
    if (errno != ETXTBSY) break;
    const struct timespec pause = {0, 10 * 1000 * 1000};
    nanosleep(&pause, NULL);
  }
  child_fails(status, "exec", errno);
}

// ---- descendants

struct watch {
  const struct job* job;
  pid_t program;
  int status_pipe;  // -1 once the program runs
  bool ended;       // the program itself
  int end_status;
  bool stopping;
  bool killing;
  int64_t kill_at;
  size_t left;  // processes that had to be ended after the program
};

struct process {
  pid_t pid;
  pid_t parent;
  pid_t group;
  bool ours;
};

struct table {
  struct process* rows;
  size_t count;
  size_t room;
};

static int by_pid(const void* a, const void* b) {
  const pid_t x = ((const struct process*)a)->pid;
  const pid_t y = ((const struct process*)b)->pid;
  return (x > y) - (x < y);
}

static bool read_process(const char* name, struct process* into) {
  char path[64];
  char text[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", name);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  if (size <= 0) return false;
  text[size] = '\0';
  // The program's name stands in parentheses and may hold any character.
  const char* rest = strrchr(text, ')');
  int parent = 0;
  int group = 0;
  if (rest == NULL || sscanf(rest, ") %*c %d %d", &parent, &group) != 2) return false;
  into->pid = (pid_t)atoi(name);
  into->parent = parent;
  into->group = group;
  into->ours = false;
  return true;
}

static void list_processes(struct table* table) {
  table->count = 0;
  DIR* folder = opendir("/proc");
  if (folder == NULL) return;
  struct dirent* entry;
  while ((entry = readdir(folder)) != NULL) {
    struct process row;
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !read_process(entry->d_name, &row)) continue;
    if (table->count == table->room) {
      const size_t room = table->room == 0 ? 512 : table->room * 2;
      struct process* rows = realloc(table->rows, room * sizeof *rows);
      if (rows == NULL) break;
      table->rows = rows;
      table->room = room;
    }
    table->rows[table->count++] = row;
  }
  closedir(folder);
  if (table->count > 0) qsort(table->rows, table->count, sizeof *table->rows, by_pid);
}

// Marks what descends from this process; returns how many.
static size_t mark_descendants(struct table* table) {
  const pid_t self = getpid();
  size_t marked = 0;
  bool more = true;
  while (more) {
    more = false;
    for (size_t i = 0; i < table->count; ++i) {
      struct process* row = &table->rows[i];
      if (row->ours) continue;
      const struct process key = {row->parent, 0, 0, false};
      const struct process* parent = bsearch(&key, table->rows, table->count, sizeof key, by_pid);
      if (row->parent == self || (parent != NULL && parent->ours)) {
        row->ours = true;
        more = true;
        ++marked;
      }
    }
  }
  return marked;
}

static size_t count_descendants(void) {
  static struct table table;
  list_processes(&table);
  return mark_descendants(&table);
}

// Groups rather than processes: a signal to a group reaches all its members at once, also those that fork meanwhile. A
// group lies within a session, and the sessions of descendants were made by descendants: nobody else is in them.
static void signal_descendants(const struct watch* watch, int signal) {
  static struct table table;
  const pid_t own_group = getpgrp();
  // By number while nobody else can have it: also where /proc cannot be read.
  // It fails as long as the program has no group of its own yet.
  const bool told = !watch->ended && kill(-watch->program, signal) == 0;
  list_processes(&table);
  mark_descendants(&table);
  for (size_t i = 0; i < table.count; ++i) {
    const struct process* row = &table.rows[i];
    if (!row->ours) continue;
    if (row->group == own_group || row->group <= 0) {
      kill(row->pid, signal);
      continue;
    }
    bool seen = told && row->group == watch->program;
    for (size_t j = 0; j < i && !seen; ++j) seen = table.rows[j].ours && table.rows[j].group == row->group;
    if (!seen) kill(-row->group, signal);
  }
}

// ---- the supervisor

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Reads on for those who go on printing: without a reader they would die of it. Ends when the last of them is gone.
static void detach(void) {
  const size_t left = count_descendants();
  const pid_t reader = left > 0 ? fork() : -1;
  if (reader == 0) {
    setsid();
    tell(SPAWN_DETACHED, (int)left, 0, "");
    struct pollfd caller = {SPAWN_CONTROL, 0, 0};
    while (poll(&caller, 1, -1) < 0 && errno == EINTR) {
    }
    close(SPAWN_CONTROL);
    char ignored[4096];
    while (true) {
      const ssize_t got = read(SPAWN_OUTPUT, ignored, sizeof ignored);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) _exit(0);
      struct pollfd output = {SPAWN_OUTPUT, POLLIN, 0};
      if (got < 0) poll(&output, 1, -1);
    }
  }
  if (reader < 0) tell(SPAWN_DETACHED, (int)left, 0, "");
  _exit(0);
}

static void begin_stop(struct watch* watch, bool at_once) {
  if (!watch->stopping && !at_once) {
    watch->stopping = true;
    watch->kill_at = now_ms() + watch->job->request.grace_ms;
    signal_descendants(watch, SIGTERM);
    signal_descendants(watch, SIGCONT);  // what is stopped gets its TERM only then
  }
  if (at_once && !watch->killing) {
    watch->stopping = true;
    watch->killing = true;
    watch->kill_at = now_ms();
  }
}

static void read_status(struct watch* watch) {
  struct failure failure;
  const ssize_t got = read(watch->status_pipe, &failure, sizeof failure);
  if (got < 0 && errno == EINTR) return;
  close(watch->status_pipe);
  watch->status_pipe = -1;
  if (got == (ssize_t)sizeof failure) {
    waitpid(watch->program, NULL, 0);
    failure.stage[sizeof failure.stage - 1] = '\0';
    fail(failure.stage, failure.error);
  }
}

// Returns false when there is no child left, and so, all orphans coming to this process, no descendant.
static bool reap(struct watch* watch) {
  int status = 0;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR)) {
    if (pid != watch->program || watch->ended) continue;
    if (watch->status_pipe >= 0) read_status(watch);  // written, or closed, before it ended
    watch->ended = true;
    watch->end_status = status;
    tell(SPAWN_ENDED, status, 0, "");
  }
  return pid == 0;
}

static void supervise(struct watch* watch, int signals) {
  while (true) {
    const bool children = reap(watch);
    if (watch->ended && !watch->stopping && watch->job->request.keep_children != 0 && watch->end_status == 0) detach();
    if (!children) {
      tell(SPAWN_GONE, (int)watch->left, 0, "");
      _exit(0);
    }
    if (watch->ended && !watch->stopping) {
      watch->left = count_descendants();
      begin_stop(watch, false);
    }
    int timeout = -1;
    if (watch->stopping) {
      const int64_t rest = watch->kill_at - now_ms();
      if (rest <= 0) {
        watch->killing = true;
        signal_descendants(watch, SIGKILL);
        // Nothing says when one of theirs has slipped through: they are looked for until none is left.
        watch->kill_at = now_ms() + kKillPauseMs;
        timeout = kKillPauseMs;
      } else {
        timeout = rest > INT_MAX ? INT_MAX : (int)rest;
      }
    }
    // A negative descriptor is left out. The control socket is not looked at any more once its end is known.
    struct pollfd watched[] = {
        {watch->killing ? -1 : SPAWN_CONTROL, POLLIN, 0}, {signals, POLLIN, 0}, {watch->status_pipe, POLLIN, 0}};
    if (poll(watched, 3, timeout) < 0) continue;
    if (watched[2].revents != 0) read_status(watch);
    if (watched[1].revents != 0) {
      struct signalfd_siginfo ignored;
      (void)!read(signals, &ignored, sizeof ignored);
    }
    if (watched[0].revents != 0) {
      char order = 0;
      const ssize_t got = read(SPAWN_CONTROL, &order, 1);
      if (got == 1 && order == SPAWN_STOP) begin_stop(watch, false);
      if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) begin_stop(watch, true);
    }
  }
}

static void close_others(void) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, SPAWN_FIRST_OTHER, ~0U, 0) == 0) return;
#endif
  const long most = sysconf(_SC_OPEN_MAX);
  for (int other = SPAWN_FIRST_OTHER; other < most; ++other) close(other);
}

int main(void) {
  static struct job job;
  struct watch watch;
  memset(&watch, 0, sizeof watch);
  close_others();
  fcntl(SPAWN_CONTROL, F_SETFD, FD_CLOEXEC);
  fcntl(SPAWN_OUTPUT, F_SETFD, FD_CLOEXEC);
  // No mount is kept busy by the helper.
  if (chdir("/") != 0) fail("start", errno);
  read_request(&job);
  find_user(&job);

  sigset_t child_ends;
  sigemptyset(&child_ends);
  sigaddset(&child_ends, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_ends, NULL);
  const int signals = signalfd(-1, &child_ends, SFD_CLOEXEC);
  int status[2];
  if (signals < 0 || pipe2(status, O_CLOEXEC) != 0) fail("start", errno);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) fail("start", errno);

  const pid_t self = getpid();
  watch.job = &job;
  watch.program = fork();
  if (watch.program < 0) fail("fork", errno);
  if (watch.program == 0) run_child(&job, status[1], self);
  close(status[1]);
  watch.status_pipe = status[0];
  // The end of the output is seen when the last writer goes, which the helper is not to be.
  dup2(0, 1);
  dup2(0, 2);
  supervise(&watch, signals);
  return 0;
}
