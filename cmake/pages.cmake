# Manual pages and shell completion, written by the program that was just built from its own
# description of its verbs, and installed where man and shells look. A build for another machine
# cannot run it and has none, unless CMAKE_CROSSCOMPILING_EMULATOR is set.
include(GNUInstallDirs)
if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  message(STATUS "cross-compiling: no manual pages and no shell completion")
  return()
endif()

set(pages ${CMAKE_BINARY_DIR}/pages)
add_custom_command(
  OUTPUT ${pages}/written
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${pages}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${pages}
  COMMAND januspro manual -o ${pages}/man1 > ${pages}/list
  COMMAND januspro completion bash > ${pages}/januspro
  COMMAND januspro completion zsh > ${pages}/_januspro
  COMMAND januspro completion fish > ${pages}/januspro.fish
  COMMAND ${CMAKE_COMMAND} -E touch ${pages}/written
  DEPENDS januspro VERBATIM)
add_custom_target(januspro_pages ALL DEPENDS ${pages}/written)

install(DIRECTORY ${pages}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT program)
install(FILES ${pages}/januspro DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        COMPONENT program)
install(FILES ${pages}/_januspro DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
        COMPONENT program)
install(FILES ${pages}/januspro.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
        COMPONENT program)
