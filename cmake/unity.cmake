# Most of the time of a compilation goes into headers and what they instantiate. convergence_unity(target part) lets the
# sources of a target share that, as CONVERGENCE_UNITY says. So names of a file's own have to differ within a target.
# The structure tests and clang-tidy look at each source of ours alone: presets `release` and `tidy`.
function(convergence_unity target part)
  if(CONVERGENCE_UNITY STREQUAL "all" OR (CONVERGENCE_UNITY STREQUAL "tests" AND part STREQUAL "tests"))
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
  endif()
endfunction()
