# The man pages, each from a template and the --help of its program, so that their options are the program's; and the
# completion. Built by default, installed to share/man/man1 and share/bash-completion.
include(GNUInstallDirs)
find_program(FANMILL_AWK NAMES awk REQUIRED)

# fanmill_man(ROOM PAGE PROGRAM arguments…): the page from ROOM/man/PAGE.1.in and the output of PROGRAM with arguments.
function(fanmill_man room page program)
  set(template ${CMAKE_SOURCE_DIR}/${room}/man/${page}.1.in)
  set(out ${CMAKE_BINARY_DIR}/man/man1/${page}.1)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man/man1
    COMMAND $<TARGET_FILE:${program}> ${ARGN} --help > ${out}.help
    COMMAND ${FANMILL_AWK} -v template=${template} -v version=${PROJECT_VERSION}
            -f ${CMAKE_SOURCE_DIR}/deploy/man_options.awk ${out}.help > ${out}
    COMMAND ${CMAKE_COMMAND} -E rm ${out}.help
    DEPENDS ${program} ${template} ${CMAKE_SOURCE_DIR}/deploy/man_options.awk VERBATIM)
  set_property(GLOBAL APPEND PROPERTY FANMILL_MAN_PAGES ${out})
endfunction()

fanmill_man(producer fanmill fanmill)
fanmill_man(producer fanmill-map fanmill map)
fanmill_man(producer fanmill-exec fanmill exec)
fanmill_man(producer fanmill-functions fanmill functions)
foreach(command submit push gather results wait jobs show cancel pause resume close forget why retry workers status)
  fanmill_man(producer fanmill-${command} fanmill ${command})
endforeach()
fanmill_man(broker fanmill-broker fanmill-broker)
fanmill_man(broker fanmill-store fanmill-broker store)
fanmill_man(worker fanmill-worker fanmill-worker)

get_property(man_pages GLOBAL PROPERTY FANMILL_MAN_PAGES)
add_custom_target(man ALL DEPENDS ${man_pages})
# Beside what deploy/install.cmake installs.
install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_SOURCE_DIR}/producer/completion/fanmill.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME fanmill)
