#include "convergence/executor.h"
