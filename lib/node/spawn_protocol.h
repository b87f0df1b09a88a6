#ifndef CONVERGENCE_LIB_NODE_SPAWN_PROTOCOL_H_
#define CONVERGENCE_LIB_NODE_SPAWN_PROTOCOL_H_

// Between the library and its helper program `convergence-spawn`, which are of one build and one machine. C and C++.

#include <stdint.h>

#define SPAWN_VERSION 1

// Descriptors that the helper begins with: /dev/null as 0, the program's output as 1 and 2, and these.
#define SPAWN_CONTROL 3  // a stream socket to the caller
#define SPAWN_OUTPUT 4   // the reading end of the program's output
#define SPAWN_FIRST_OTHER 5

// What the caller sends first: this, then `size` bytes of texts, each with its closing NUL: program, directory, user,
// `arguments` of them, `variables` of them ("NAME=value").
struct spawn_request {
  uint32_t version;
  uint32_t size;
  uint32_t arguments;
  uint32_t variables;
  uint32_t limits;  // in use
  uint32_t umask;
  uint32_t grace_ms;       // between TERM and KILL
  uint32_t keep_children;  // 1: what a program leaves behind that ended with status 0 goes on
  struct {
    int32_t resource;  // RLIMIT_...
    int32_t reserved;
    uint64_t value;
  } limit[8];
};

// What it may send later: this byte. Everything that descends from the program is then ended, TERM first. When the
// caller's end of the socket goes, the same happens with KILL at once.
#define SPAWN_STOP 'S'

enum spawn_kind {
  SPAWN_FAILED = 1,    // the program does not run: `stage`, `error` (errno)
  SPAWN_STARTED = 2,   // it is about to run; `value`: its process id, which is its group's and session's too
  SPAWN_ENDED = 3,     // `value`: as waitpid() has it
  SPAWN_GONE = 4,      // nothing of it is left; `value`: how many processes had to be ended after it
  SPAWN_DETACHED = 5,  // `value`: how many processes it has left behind, which go on
};

struct spawn_message {
  int32_t kind;
  int32_t value;
  int32_t error;
  char stage[20];
};

#endif  // CONVERGENCE_LIB_NODE_SPAWN_PROTOCOL_H_
