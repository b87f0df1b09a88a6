#include "convergence/memory_consul.h"
