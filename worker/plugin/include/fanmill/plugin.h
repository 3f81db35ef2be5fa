/* The C ABI between a fanmill executor and a plugin: a shared library with functions that it calls.
 * For C++ there is <fanmill/plugin.hpp>, which is all that most plugins need.
 *
 * A plugin exports one function, fanmill_plugin_entry(), which returns a table that stays as it is
 * for the life of the process. The executor loads a plugin once, and calls it from one thread, one
 * task after another.
 *
 * Versions. Every struct begins with its size in bytes, as its maker knows it. A later minor
 * version only appends members to structs, so either side may meet a larger or smaller one than its
 * own and uses what both know. Another major version is refused. The first three members of
 * fanmill_plugin are the same for ever.
 */
#ifndef FANMILL_PLUGIN_H
#define FANMILL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define FANMILL_PLUGIN_ABI_MAJOR 1
#define FANMILL_PLUGIN_ABI_MINOR 0
#define FANMILL_PLUGIN_ENTRY "fanmill_plugin_entry"

#ifdef __cplusplus
extern "C" {
#endif

/* What create() and call() return. */
enum {
  FANMILL_OK = 0,
  FANMILL_FAILED = 1,        /* fail() was given the reason */
  FANMILL_BAD_ARGUMENTS = 2, /* the same; the tuple is at fault */
};

enum {
  FANMILL_LOG_DEBUG = 0,
  FANMILL_LOG_INFO = 1,
  FANMILL_LOG_WARNING = 2,
  FANMILL_LOG_ERROR = 3,
};

/* What the executor does for a function. `host` of every call is the one that create() or call()
 * was given, and is valid until that returns. Texts are UTF-8 with a length, and are copied. */
typedef struct fanmill_host_table {
  uint32_t size;
  uint32_t reserved;
  /* Appends bytes to the value. In all, call() appends exactly one msgpack value. */
  void (*append)(void* host, const char* bytes, size_t count);
  /* Why create() or call() is about to return something else than FANMILL_OK. */
  void (*fail)(void* host, const char* text, size_t length);
  /* A line on the task's stderr. FANMILL_LOG_DEBUG is shown if FANMILL_LOG=debug is set. */
  void (*log)(void* host, int level, const char* text, size_t length);
  /* 1: the job was cancelled; who does not return soon is killed. */
  int (*is_cancelled)(void* host);
} fanmill_host_table;

typedef struct fanmill_text {
  const char* data;
  size_t length;
} fanmill_text;

#define FANMILL_NO_PARAMETER SIZE_MAX

/* A job that a function is about to serve. */
typedef struct fanmill_binding {
  uint32_t size;
  uint32_t reserved;
  const fanmill_host_table* table;
  void* host;
  /* If positional tuples have names (a CSV header): the names, and for each the parameter of the
   * signature, from 0, that it goes to, or FANMILL_NO_PARAMETER. Else none, and they go by
   * position. Valid until create() returns. */
  size_t column_count;
  const fanmill_text* columns;
  const size_t* parameter_of_column;
} fanmill_binding;

/* One call. */
typedef struct fanmill_call {
  uint32_t size;
  uint32_t attempt; /* from 1 */
  const fanmill_host_table* table;
  void* host;
  const char*
      tuple; /* msgpack: an array (positional) or a map (named), checked to be well-formed */
  size_t tuple_bytes;
  uint64_t index;         /* of the task in its job, from 0 */
  uint64_t token_counter; /* with token_epoch: no two attempts of any task have the same token */
  uint32_t token_epoch;
  uint32_t slot;        /* of the worker's slots, the one that calls; from 1 */
  uint64_t deadline_ns; /* of CLOCK_MONOTONIC; then the executor is killed. 0: no time limit */
} fanmill_call;

enum {
  /* The function checks its tuples by itself. Without it the executor checks each against the
   * signature before the call. */
  FANMILL_CHECKS_TUPLES = 1,
};

typedef struct fanmill_function {
  uint32_t size;
  uint32_t flags;
  const char* name;
  const char*
      signature;    /* "(x: float, label: str = \"a\") -> float"; "(...) -> any" takes anything */
  const void* user; /* the plugin's own */
  /* Once per job, before its first call; sets *instance. May be null. */
  int (*create)(const struct fanmill_function* self, const fanmill_binding* binding,
                void** instance);
  int (*call)(const struct fanmill_function* self, void* instance, const fanmill_call* call);
  /* Once the job is over, if the process lives on. May be null. */
  void (*destroy)(const struct fanmill_function* self, void* instance);
} fanmill_function;

typedef struct fanmill_plugin {
  uint32_t size;
  uint16_t abi_major;
  uint16_t abi_minor;
  const char* error; /* why this plugin cannot be used; else null */
  size_t function_count;
  const fanmill_function* const* functions;
} fanmill_plugin;

typedef const fanmill_plugin* (*fanmill_plugin_entry_function)(void);

#ifdef __cplusplus
}
#endif

#endif /* FANMILL_PLUGIN_H */
