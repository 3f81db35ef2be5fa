/* A plugin in C, by the ABI alone. The executor checks its tuples. */
#include <fanmill/plugin.h>
#include <string.h>

static int answer(const fanmill_function* self, void* instance, const fanmill_call* call) {
  (void)self;
  (void)instance;
  call->table->append(call->host, "\x2a", 1);
  return FANMILL_OK;
}

static int garbage(const fanmill_function* self, void* instance, const fanmill_call* call) {
  (void)self;
  (void)instance;
  call->table->append(call->host, "\x92\x01", 2); /* an array of two, with one element */
  return FANMILL_OK;
}

static int silent(const fanmill_function* self, void* instance, const fanmill_call* call) {
  (void)self;
  (void)instance;
  (void)call;
  return FANMILL_FAILED;
}

/* The columns' names, and the parameter of each, as text. */
static char bound[256];
static int create(const fanmill_function* self, const fanmill_binding* binding, void** instance) {
  (void)self;
  bound[0] = '\0';
  for (size_t i = 0; i < binding->column_count; ++i) {
    const char digit[] = {(char)('0' + binding->parameter_of_column[i]), ' ', '\0'};
    strncat(bound, binding->columns[i].data, binding->columns[i].length);
    strcat(bound, digit);
  }
  *instance = bound;
  return FANMILL_OK;
}
static int columns(const fanmill_function* self, void* instance, const fanmill_call* call) {
  (void)self;
  const char* const text = instance;
  const char head[] = {(char)0xd9, (char)strlen(text)};
  call->table->append(call->host, head, sizeof head);
  call->table->append(call->host, text, strlen(text));
  return FANMILL_OK;
}

static const fanmill_function kAnswer = {
    sizeof(fanmill_function), 0, "answer", "(x: float, text: str = \"a\") -> int", 0, 0, answer, 0};
static const fanmill_function kGarbage = {
    sizeof(fanmill_function), 0, "garbage", "(...) -> any", 0, 0, garbage, 0};
static const fanmill_function kSilent = {
    sizeof(fanmill_function), 0, "silent", "(...) -> any", 0, 0, silent, 0};
static const fanmill_function kColumns = {
    sizeof(fanmill_function), 0, "columns", "(x: any, y: any) -> str", 0, create, columns, 0};
static const fanmill_function* const kFunctions[] = {&kAnswer, &kGarbage, &kSilent, &kColumns};
static const fanmill_plugin kPlugin = {
    sizeof(fanmill_plugin), FANMILL_PLUGIN_ABI_MAJOR, FANMILL_PLUGIN_ABI_MINOR, 0, 4, kFunctions};

const fanmill_plugin* fanmill_plugin_entry(void) { return &kPlugin; }
