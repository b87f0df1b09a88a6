#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "convergence/error.h"
#include "convergence/node_files.h"
#include "lib/base/status_macros.h"
#include "lib/node/file_calls.h"
#include "lib/node/install_place.h"

namespace convergence {
namespace {

std::string_view word_for(Standing standing) {
  switch (standing) {
    case Standing::kNothing:
      return "nothing";
    case Standing::kLink:
      return "link";
    case Standing::kDirectory:
      return "directory";
    case Standing::kFile:
      return "file";
  }
  return "nothing";
}

std::optional<Standing> standing_of(std::string_view word) {
  for (const Standing one : {Standing::kNothing, Standing::kLink, Standing::kDirectory, Standing::kFile}) {
    if (word == word_for(one)) return one;
  }
  return std::nullopt;
}

bool is_real(const Stands& stands) { return stands.what == Standing::kDirectory || stands.what == Standing::kFile; }

absl::Status in_the_way(const std::string& path, std::string_view what) {
  return make_error(ErrorKind::kConflict, fmt::format("{}: {}; see who put it there, and move it away", path, what));
}

// One destination, and the steps by which it changes.
class Swap {
 public:
  Swap(const PlannedTree& tree, const InstallPlace& place, const StepHook& hook)
      : tree_(tree), place_(place), hook_(hook) {}

  absl::Status in() {
    CVG_ASSIGN_OR_RETURN(const Stands stands, destination());
    if (!is_ours(stands)) {
      CVG_ASSIGN_OR_RETURN(const Stands staged, inside(place_.tree()));
      if (staged.what != Standing::kDirectory) {
        return make_error(ErrorKind::kNotFound,
                          fmt::format("{}/{}: what is to be installed is not there; stage it first", place_.folder_path,
                                      place_.tree()));
      }
      CVG_RETURN_IF_ERROR(make_link(place_.link(), place_.target));
      if (is_real(stands)) {
        CVG_ASSIGN_OR_RETURN(const Stands aside, inside(place_.aside()));
        if (is_real(aside)) return in_the_way(path_of(place_.aside()), "something is kept there from before");
        CVG_RETURN_IF_ERROR(drop_link(place_.aside()));  // our own, of a way back that was not finished
        CVG_RETURN_IF_ERROR(rename(place_.link(), RENAME_EXCHANGE, "exchange"));
      } else {
        // What came there since we looked is not replaced unseen.
        CVG_RETURN_IF_ERROR(rename(place_.link(), stands.what == Standing::kNothing ? RENAME_NOREPLACE : 0U, "put"));
      }
    }
    CVG_RETURN_IF_ERROR(drop_link(place_.back()));
    CVG_ASSIGN_OR_RETURN(const Stands left, inside(place_.link()));
    if (!is_real(left)) return drop_link(place_.link());
    CVG_RETURN_IF_ERROR(step("keep aside"));
    if (renameat2(place_.folder.get(), place_.link().c_str(), place_.folder.get(), place_.aside().c_str(),
                  RENAME_NOREPLACE) != 0) {
      return file_error(errno, "keeping aside", path_of(place_.aside()));
    }
    return sync();
  }

  absl::Status back(Standing was, const std::string& target) {
    CVG_ASSIGN_OR_RETURN(const Stands stands, destination());
    if (was == Standing::kNothing) {
      CVG_RETURN_IF_ERROR(back_to_nothing(stands));
    } else if (was == Standing::kLink) {
      CVG_RETURN_IF_ERROR(back_to_link(stands, target));
    } else {
      CVG_RETURN_IF_ERROR(back_to_kept(stands));
    }
    for (const std::string& name : {place_.link(), place_.aside(), place_.back()}) CVG_RETURN_IF_ERROR(drop_link(name));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<Stands> destination() const {
    return what_stands(place_.parent.get(), place_.name, place_.parent_path);
  }
  absl::StatusOr<Stands> inside(const std::string& name) const {
    return what_stands(place_.folder.get(), name, place_.folder_path);
  }
  std::string path_of(const std::string& name) const { return join_path(place_.folder_path, name); }
  bool is_ours(const Stands& stands) const { return stands.what == Standing::kLink && stands.target == place_.target; }

  absl::Status step(std::string_view what) const {
    return hook_ ? hook_(fmt::format("{} {}", what, tree_.destination)) : absl::OkStatus();
  }
  absl::Status sync() const {
    CVG_RETURN_IF_ERROR(sync_file(place_.folder.get(), place_.folder_path));
    return sync_file(place_.parent.get(), place_.parent_path);
  }

  absl::Status make_link(const std::string& name, const std::string& target) const {
    CVG_ASSIGN_OR_RETURN(const Stands stands, inside(name));
    if (stands.what == Standing::kLink && stands.target == target) return absl::OkStatus();
    if (is_real(stands)) return in_the_way(path_of(name), "something is kept there from before");
    CVG_RETURN_IF_ERROR(drop_link(name));
    CVG_RETURN_IF_ERROR(step("make link"));
    if (symlinkat(target.c_str(), place_.folder.get(), name.c_str()) == 0) return absl::OkStatus();
    return file_error(errno, "making the link", path_of(name));
  }

  absl::Status drop_link(const std::string& name) const {
    CVG_ASSIGN_OR_RETURN(const Stands stands, inside(name));
    if (stands.what != Standing::kLink) return absl::OkStatus();
    CVG_RETURN_IF_ERROR(step("drop link"));
    if (unlinkat(place_.folder.get(), name.c_str(), 0) != 0) return file_error(errno, "removing", path_of(name));
    return absl::OkStatus();
  }

  // From our folder to the destination.
  absl::Status rename(const std::string& name, unsigned flags, std::string_view what) const {
    CVG_RETURN_IF_ERROR(step(what));
    if (renameat2(place_.folder.get(), name.c_str(), place_.parent.get(), place_.name.c_str(), flags) != 0) {
      return file_error(errno, "putting in place", tree_.destination);
    }
    return sync();
  }

  absl::Status back_to_nothing(const Stands& stands) const {
    if (stands.what == Standing::kNothing) return absl::OkStatus();
    if (!is_ours(stands)) return in_the_way(tree_.destination, "something else stands where nothing was");
    CVG_RETURN_IF_ERROR(step("take away"));
    if (unlinkat(place_.parent.get(), place_.name.c_str(), 0) != 0) {
      return file_error(errno, "removing", tree_.destination);
    }
    return sync();
  }

  absl::Status back_to_link(const Stands& stands, const std::string& target) const {
    if (stands.what == Standing::kLink && stands.target == target) return absl::OkStatus();
    if (stands.what != Standing::kNothing && !is_ours(stands)) {
      return in_the_way(tree_.destination, "neither what was installed nor what was there before stands there");
    }
    CVG_RETURN_IF_ERROR(make_link(place_.back(), target));
    return rename(place_.back(), stands.what == Standing::kNothing ? RENAME_NOREPLACE : 0U, "put back");
  }

  // A folder or file: aside, or, after an end in the middle of swap_in, where the link was.
  absl::Status back_to_kept(const Stands& stands) const {
    std::string kept;
    for (const std::string& name : {place_.link(), place_.aside()}) {
      CVG_ASSIGN_OR_RETURN(const Stands one, inside(name));
      if (is_real(one)) kept = name;
    }
    if (is_real(stands) && kept.empty()) return absl::OkStatus();  // never taken away, or back already
    if (is_real(stands) || (stands.what == Standing::kLink && !is_ours(stands))) {
      return in_the_way(tree_.destination, "neither what was installed nor what was there before stands there");
    }
    if (kept.empty()) {
      return make_error(ErrorKind::kConflict,
                        fmt::format("{}: what stood there is not kept in {} any more; put it back "
                                    "by hand",
                                    tree_.destination, place_.folder_path));
    }
    return rename(kept, stands.what == Standing::kNothing ? RENAME_NOREPLACE : RENAME_EXCHANGE, "put back");
  }

  const PlannedTree& tree_;
  const InstallPlace& place_;
  const StepHook& hook_;
};

absl::Status bad_undo(std::string_view problem) {
  return make_error(ErrorKind::kUsage, fmt::format("install: undo: {}; give what describe_undo answered", problem));
}

struct UndoRow {
  Standing was = Standing::kNothing;
  std::string target{};
};

absl::StatusOr<UndoRow> undo_of(const Json& undo, const std::string& destination) {
  const Json* trees = undo.find("trees");
  if (trees == nullptr || trees->as_array() == nullptr) return bad_undo("it has no trees");
  for (const Json& row : *trees->as_array()) {
    const Json* name = row.find("destination");
    if (name == nullptr || name->as_string() == nullptr || *name->as_string() != destination) continue;
    const Json* was = row.find("was");
    const auto standing = was != nullptr && was->as_string() != nullptr ? standing_of(*was->as_string()) : std::nullopt;
    if (!standing) return bad_undo(fmt::format("of {} it does not say what was there", destination));
    const Json* target = row.find("target");
    const bool has_target = target != nullptr && target->as_string() != nullptr && !target->as_string()->empty();
    if (*standing == Standing::kLink && !has_target)
      return bad_undo(fmt::format("{} was a link to nothing", destination));
    return UndoRow{*standing, has_target ? *target->as_string() : ""};
  }
  return bad_undo(fmt::format("it does not speak of {}", destination));
}

void remove_if_empty(const InstallPlace& place) {
  unlinkat(place.parent.get(), base_name(place.folder_path).c_str(), AT_REMOVEDIR);
}

// The folders above a destination, below its root, outermost first.
std::vector<std::string> folders_above(const PlannedTree& tree) {
  std::vector<std::string> folders;
  for (std::string path = parent_of(tree.destination); is_below(path, tree.root); path = parent_of(path)) {
    folders.insert(folders.begin(), path);
  }
  return folders;
}

absl::Status discard_tree(const PlannedTree& tree) {
  const absl::StatusOr<InstallPlace> place = open_place(tree, false);
  if (!place.ok()) {
    return error_kind(place.status()) == ErrorKind::kNotFound ? absl::OkStatus() : place.status();
  }
  CVG_ASSIGN_OR_RETURN(const bool in_place, is_in_place(*place));
  if (in_place) return absl::OkStatus();
  CVG_RETURN_IF_ERROR(remove_in(place->folder.get(), place->tree(), place->folder_path));
  for (const std::string& name : {place->link(), place->back()}) {
    CVG_ASSIGN_OR_RETURN(const Stands stands, what_stands(place->folder.get(), name, place->folder_path));
    if (stands.what != Standing::kLink) continue;
    CVG_RETURN_IF_ERROR(remove_in(place->folder.get(), name, place->folder_path));
  }
  remove_if_empty(*place);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> describe_undo(const InstallPlan& plan) {
  Json::Array trees;
  std::vector<std::string> made;
  for (const PlannedTree& tree : plan.trees) {
    CVG_ASSIGN_OR_RETURN(const Descriptor root, open_folder(tree.root));
    CVG_ASSIGN_OR_RETURN(Descriptor at, open_folder_below(root.get(), "", false, tree.root));
    Stands stands;
    bool missing = false;
    for (const std::string& folder : folders_above(tree)) {
      if (!missing) {
        absl::StatusOr<Descriptor> next = open_folder_below(at.get(), base_name(folder), false, parent_of(folder));
        missing = !next.ok() && error_kind(next.status()) == ErrorKind::kNotFound;
        if (!missing && !next.ok()) return next.status();
        if (next.ok()) at = *std::move(next);
      }
      if (missing && std::find(made.begin(), made.end(), folder) == made.end()) made.push_back(folder);
    }
    if (!missing) {
      CVG_ASSIGN_OR_RETURN(stands, what_stands(at.get(), base_name(tree.destination), parent_of(tree.destination)));
    }
    Json row;
    row.set("destination", tree.destination);
    row.set("was", word_for(stands.what));
    if (stands.what == Standing::kLink) row.set("target", stands.target);
    trees.push_back(std::move(row));
  }
  Json undo;
  undo.set("trees", std::move(trees));
  undo.set("made", Json::Array(made.begin(), made.end()));
  return undo;
}

absl::Status swap_in(const InstallPlan& plan, const StepHook& hook) {
  for (const PlannedTree& tree : plan.trees) {
    CVG_ASSIGN_OR_RETURN(const InstallPlace place, open_place(tree, false));
    CVG_RETURN_IF_ERROR(Swap(tree, place, hook).in());
  }
  return absl::OkStatus();
}

absl::Status swap_back(const InstallPlan& plan, const Json& undo, const StepHook& hook) {
  for (auto tree = plan.trees.rbegin(); tree != plan.trees.rend(); ++tree) {
    CVG_ASSIGN_OR_RETURN(const UndoRow row, undo_of(undo, tree->destination));
    const absl::StatusOr<InstallPlace> there = open_place(*tree, false);
    if (there.ok()) {
      CVG_RETURN_IF_ERROR(Swap(*tree, *there, hook).back(row.was, row.target));
      continue;
    }
    if (error_kind(there.status()) != ErrorKind::kNotFound) return there.status();
    if (row.was == Standing::kNothing) continue;  // without our folder there is no link of ours that works
    CVG_ASSIGN_OR_RETURN(const InstallPlace place, open_place(*tree, true));
    const absl::Status status = Swap(*tree, place, hook).back(row.was, row.target);
    remove_if_empty(place);
    CVG_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::Status discard_staged(const InstallPlan& plan, const Json& undo) {
  for (const PlannedTree& tree : plan.trees) CVG_RETURN_IF_ERROR(discard_tree(tree));
  const Json* made = undo.find("made");
  if (made == nullptr || made->as_array() == nullptr) return bad_undo("it does not say which folders were made");
  for (auto entry = made->as_array()->rbegin(); entry != made->as_array()->rend(); ++entry) {
    if (entry->as_string() == nullptr) return bad_undo("a folder that was made has no name");
    for (const PlannedTree& tree : plan.trees) {
      // Only what can have been made for this plan, whatever the document says.
      const std::vector<std::string> above = folders_above(tree);
      if (std::find(above.begin(), above.end(), *entry->as_string()) == above.end()) continue;
      const absl::StatusOr<Descriptor> root = open_folder(tree.root);
      if (!root.ok()) continue;
      const std::string parent = parent_of(*entry->as_string());
      const absl::StatusOr<Descriptor> folder = open_folder_below(
          root->get(), parent.size() > tree.root.size() ? parent.substr(tree.root.size()) : "", false, tree.root);
      if (folder.ok()) unlinkat(folder->get(), base_name(*entry->as_string()).c_str(), AT_REMOVEDIR);
    }
  }
  return absl::OkStatus();
}

}  // namespace convergence
