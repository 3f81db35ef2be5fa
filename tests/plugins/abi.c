/* A plugin of another version: its structs are larger than this version knows. */
#include <fanmill/plugin.h>

struct larger_function {
  fanmill_function known;
  const char* more;
};
struct larger_plugin {
  fanmill_plugin known;
  const char* more[4];
};

static int call(const fanmill_function* self, void* instance, const fanmill_call* call) {
  (void)self;
  (void)instance;
  call->table->append(call->host, "\x07", 1);
  return FANMILL_OK;
}

static const struct larger_function kSeven = {
    {sizeof(struct larger_function), 1 << 30, "seven", "(...) -> int", 0, 0, call, 0}, "more"};
static const fanmill_function* const kFunctions[] = {&kSeven.known};
static const struct larger_plugin kPlugin = {
    {sizeof(struct larger_plugin), MAJOR, MINOR, 0, 1, kFunctions}, {0}};

const fanmill_plugin* fanmill_plugin_entry(void) { return &kPlugin.known; }
