# fanmill_add_plugin(NAME source…): a plugin NAME.so, for  fanmill map --plugin NAME.so
function(fanmill_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE fanmill::plugin)
  set_target_properties(${name} PROPERTIES PREFIX "")
endfunction()
