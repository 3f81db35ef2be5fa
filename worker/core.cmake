# The pure agent core: it links fanmill_proto alone.
set(FANMILL_WORKER_CORE_SOURCES
  agent_core.cpp
  dealer.cpp
  dealer_died.cpp
  dealer_return.cpp
  departure.cpp
  failure_report.cpp
  lease_book.cpp
  report_queue.cpp
  session.cpp
  slot.cpp
  work_queue.cpp)
add_library(fanmill_worker_core STATIC ${FANMILL_WORKER_CORE_SOURCES})
target_link_libraries(fanmill_worker_core PUBLIC fanmill_proto)

# The same with the deliberate bugs of mutation.hpp, for tests alone.
add_library(fanmill_worker_core_mutable STATIC EXCLUDE_FROM_ALL ${FANMILL_WORKER_CORE_SOURCES})
target_compile_definitions(fanmill_worker_core_mutable PUBLIC FANMILL_MUTATIONS)
target_link_libraries(fanmill_worker_core_mutable PUBLIC fanmill_proto)
