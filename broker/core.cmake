# fanmill_broker_core: the broker's pure state machine. fanmill_broker_core_mutable: the same with the
# deliberate bugs of core/mutation.hpp, for tests.
set(FANMILL_BROKER_CORE_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/core/asking.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/claims.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/core.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/delivery.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/eligibility.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/explain.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/fair_shares.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/halting.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/index_set.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/intake.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/invariants.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/job.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/leases.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/lifecycle.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/losses.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/recovered.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/rounds.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/pausing.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/producers.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/progress.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/pushes.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/recalls.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/report.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/restoring.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/selector.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/sink.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/steering.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/suggest.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/ventilator.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/workers.cpp
  ${CMAKE_CURRENT_LIST_DIR}/core/world.cpp)

add_library(fanmill_broker_core STATIC ${FANMILL_BROKER_CORE_SOURCES})
target_include_directories(fanmill_broker_core SYSTEM PRIVATE ${XXHASH_INCLUDE_DIR})
target_link_libraries(fanmill_broker_core PUBLIC fanmill_proto PRIVATE roaring::roaring msgpackc-cxx fmt::fmt)

if(FANMILL_TESTS)
  add_library(fanmill_broker_core_mutable STATIC ${FANMILL_BROKER_CORE_SOURCES})
  target_include_directories(fanmill_broker_core_mutable SYSTEM PRIVATE ${XXHASH_INCLUDE_DIR})
  target_link_libraries(fanmill_broker_core_mutable PUBLIC fanmill_proto PRIVATE roaring::roaring msgpackc-cxx fmt::fmt)
  target_compile_definitions(fanmill_broker_core_mutable PUBLIC FANMILL_MUTATIONS)
endif()
