/* Two rows of a health answer, one filter; and an error that names its kind. */
#include <convergence/c.h>
#include <stdio.h>

int main(void) {
  cvg_buffer out = {NULL, 0};
  cvg_error* error = NULL;
  const cvg_slice rows =
      cvg_text("[{\"Service\": {\"Meta\": {\"version\": \"1\"}}}, {\"Service\": {\"Meta\": {\"version\": \"2\"}}}]");
  if (cvg_abi_version() != CVG_ABI_VERSION) {
    return 1;
  }
  if (cvg_filter(cvg_text("Service.Meta.version == 2"), rows, &out, &error) != CVG_OK) {
    printf("%s\n", cvg_error_message(error));
    cvg_error_free(error);
    return 1;
  }
  printf("%s\n", out.data);
  cvg_buffer_free(&out);
  if (cvg_filter(cvg_text("Service.Meta.version =="), rows, &out, &error) != CVG_INVALID_ARGUMENT) {
    return 1;
  }
  printf("%s\n", cvg_error_kind(error));
  cvg_error_free(error);
  return 0;
}
