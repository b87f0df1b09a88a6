#include "convergence/filter.h"
