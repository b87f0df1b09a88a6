#include "convergence/consul_client.h"
