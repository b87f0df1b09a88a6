#include "convergence/json.h"
