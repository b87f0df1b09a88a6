#ifndef CONVERGENCE_SORTED_MAP_H_
#define CONVERGENCE_SORTED_MAP_H_

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace convergence {

// Values by text, in the order of the texts, side by side in memory: what is made once and then read. Used as
// std::map<std::string, T> is; a value put in moves all that come after it, and iterators do not outlast that.
template <typename T>
class SortedMap {
 public:
  using value_type = std::pair<std::string, T>;
  using const_iterator = typename std::vector<value_type>::const_iterator;
  using iterator = typename std::vector<value_type>::iterator;

  SortedMap() = default;
  SortedMap(std::initializer_list<value_type> items) {
    for (const value_type& item : items) (*this)[item.first] = item.second;
  }

  const_iterator begin() const { return items_.begin(); }
  const_iterator end() const { return items_.end(); }
  iterator begin() { return items_.begin(); }
  iterator end() { return items_.end(); }
  std::size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }

  const_iterator find(std::string_view key) const {
    const const_iterator at = place(key);
    return at != items_.end() && at->first == key ? at : items_.end();
  }
  iterator find(std::string_view key) { return items_.begin() + (std::as_const(*this).find(key) - items_.begin()); }
  bool contains(std::string_view key) const { return find(key) != items_.end(); }

  T& operator[](std::string_view key) {
    const const_iterator at = place(key);
    if (at != items_.end() && at->first == key) return (items_.begin() + (at - items_.begin()))->second;
    return items_.emplace(at, std::string(key), T())->second;
  }

  void erase(std::string_view key) {
    const iterator at = find(key);
    if (at != items_.end()) items_.erase(at);
  }

  // For who makes it: keys must come in rising order.
  void reserve(std::size_t count) { items_.reserve(count); }
  T& append(std::string key) {
    return items_.emplace_back(std::piecewise_construct, std::forward_as_tuple(std::move(key)), std::tuple<>()).second;
  }

  friend bool operator==(const SortedMap&, const SortedMap&) = default;

 private:
  const_iterator place(std::string_view key) const {
    return std::lower_bound(items_.begin(), items_.end(), key,
                            [](const value_type& item, std::string_view wanted) { return item.first < wanted; });
  }

  std::vector<value_type> items_;
};

}  // namespace convergence

#endif  // CONVERGENCE_SORTED_MAP_H_
