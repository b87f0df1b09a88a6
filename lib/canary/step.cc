#include "convergence/canary.h"
